# cmake -DWAY=<install|subdirectory> -DSOURCE=... -DBUILD=... -DWORK=... -DGENERATOR=... -DCOMPILER=...
#       -DLAUNCHER=... -P consume.cmake
#
# Builds and runs the consumer project, from nothing, in the directory WORK.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(must)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(NOT status EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}\nexit status ${status}\n${said}")
    endif()
endfunction()

set(options -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=Debug
    -DCMAKE_CXX_FLAGS_DEBUG=-O0 "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}")
if(WAY STREQUAL "install")
    must(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
    # Moved after the installation: a package must not know where it was installed to.
    file(RENAME ${WORK}/prefix ${WORK}/moved)
    list(APPEND options -DCMAKE_PREFIX_PATH=${WORK}/moved
        -DCONSUMER_SERVER=${WORK}/moved/bin/mcp-pool-echo-server -DCONSUMER_SIGPIPE=ignored)
else()
    # Where the library is not the project itself, the programs are not built.
    list(APPEND options -DMCP_POOL_SOURCE_DIR=${SOURCE} -DMCP_POOL_IGNORE_SIGPIPE=OFF
        -DCONSUMER_SERVER=${BUILD}/bin/mcp-pool-echo-server -DCONSUMER_SIGPIPE=default)
endif()

must(${CMAKE_COMMAND} -S ${SOURCE}/tests/package/consumer -B ${WORK}/build ${options})
must(${CMAKE_COMMAND} --build ${WORK}/build --parallel 2)
must(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/build --output-on-failure)
