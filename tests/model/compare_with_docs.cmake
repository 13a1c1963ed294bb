# cmake -DSCALING=... -DISOLATION=... -DDOCS=... -DMADE=... -P compare_with_docs.cmake
#
# Runs the simulations that the documentation quotes: each line of their tables stands in its page, and
# the pictures are those in docs/pictures.
cmake_policy(SET CMP0057 NEW)

function(page_quotes page)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE printed)
    if(NOT status EQUAL 0 OR printed STREQUAL "")
        message(FATAL_ERROR "${ARGN}: exit status ${status}")
    endif()
    file(STRINGS ${DOCS}/${page} lines)
    string(REPLACE "\n" ";" rows "${printed}")
    foreach(row IN LISTS rows)
        if(NOT row STREQUAL "" AND NOT row IN_LIST lines)
            message(SEND_ERROR "docs/${page} does not have the line\n${row}")
        endif()
    endforeach()
endfunction()

file(REMOVE_RECURSE ${MADE})
file(MAKE_DIRECTORY ${MADE})
page_quotes(scaling.md ${SCALING} --pictures ${MADE})
page_quotes(isolation.md ${ISOLATION})

file(GLOB made RELATIVE ${MADE} ${MADE}/*)
file(GLOB committed RELATIVE ${DOCS}/pictures ${DOCS}/pictures/scaling-*)
if(NOT made STREQUAL committed OR made STREQUAL "")
    message(SEND_ERROR "made: ${made}\ndocs/pictures: ${committed}")
endif()
foreach(name IN LISTS made)
    execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${MADE}/${name}
        ${DOCS}/pictures/${name} RESULT_VARIABLE different)
    if(different)
        message(SEND_ERROR "docs/pictures/${name} is not what pool-sim-scaling makes")
    endif()
endforeach()
