# What every target of ours is compiled with. An embedding project that builds us as a
# subdirectory gets the library with its own flags: warnings as errors only in our own builds.
include_guard()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

find_program(MCP_POOL_CCACHE ccache)
if(MCP_POOL_DEVELOPER AND MCP_POOL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Precompiled headers are only cached when ccache may trust their time stamps.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${MCP_POOL_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${MCP_POOL_CCACHE})
endif()

add_library(mcp_pool_build_flags INTERFACE)
target_compile_features(mcp_pool_build_flags INTERFACE cxx_std_20)
if(MCP_POOL_DEVELOPER)
    target_compile_options(mcp_pool_build_flags INTERFACE
        $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>
        $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra>)
    # Of what sanitizers put between, g++ 12 warns as of what stands in the source; the presets without
    # them judge that.
    if(NOT MCP_POOL_SANITIZE)
        target_compile_options(mcp_pool_build_flags INTERFACE -Werror)
    endif()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # -fcoroutines needs no flag with C++20; the precompiled header needs this one for ccache.
    target_compile_options(mcp_pool_build_flags INTERFACE
        $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
    # g++ 12 takes Asio's recycled coroutine frames for a mismatch of new and delete.
    target_compile_options(mcp_pool_build_flags INTERFACE
        $<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>)
endif()
if(MCP_POOL_SANITIZE)
    target_compile_options(mcp_pool_build_flags INTERFACE
        -fsanitize=${MCP_POOL_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(mcp_pool_build_flags INTERFACE -fsanitize=${MCP_POOL_SANITIZE})
    if(MCP_POOL_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # Asio's fences, which the sanitizer does not see; they only ever order more than it knows.
        target_compile_options(mcp_pool_build_flags INTERFACE -Wno-tsan)
    endif()
    if(MCP_POOL_SANITIZE MATCHES undefined)
        # The check of virtual pointers asks through a pipe whether memory can be read, and takes it
        # for a wrong object where the process has no descriptors left, as some tests want it.
        target_compile_options(mcp_pool_build_flags INTERFACE -fno-sanitize-recover=undefined
            -fno-sanitize=vptr)
    endif()
endif()

# What calls the library, rather than being it, is compiled for these sanitizers without optimisation
# and without the checks that the address sanitizer makes in its own way: together they make of each
# coroutine what takes g++ a minute.
function(mcp_pool_quick_to_compile name)
    if(MCP_POOL_SANITIZE MATCHES undefined)
        target_compile_options(${name} PRIVATE -O0 -fno-sanitize=null,alignment,object-size)
    endif()
endfunction()

# mcp_pool_test(name SOURCES ... [LABELS ...] [TIMEOUT seconds])
#
# One Boost.Test program and one CTest test of the same name. It may include the private headers of
# the library as "layer/header.hpp".
function(mcp_pool_test name)
    cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LABELS;LIBRARIES;DEPENDS" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE mcp_pool_build_flags mcp_pool_test_main
        mcp_pool::mcp_pool Boost::unit_test_framework ${arg_LIBRARIES})
    target_compile_definitions(${name} PRIVATE BOOST_TEST_DYN_LINK
        MCP_POOL_TEST_BIN="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
        MCP_POOL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/lib
        ${PROJECT_SOURCE_DIR}/tests)
    target_precompile_headers(${name} REUSE_FROM mcp_pool_test_pch)
    mcp_pool_quick_to_compile(${name})
    if(arg_DEPENDS)
        add_dependencies(${name} ${arg_DEPENDS})
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
