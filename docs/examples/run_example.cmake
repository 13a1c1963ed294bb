# cmake -DEXAMPLE=... -DSERVER=... -DPRINTS=... [-DNEEDS=FILE] -P run_example.cmake
#
# Runs an example with a server and compares what it prints, besides its exit status. Skipped, visibly,
# where a file is not there that it needs.
if(NEEDS AND NOT EXISTS ${NEEDS})
    message("SKIPPED: there is no ${NEEDS}")
    return()
endif()
execute_process(COMMAND ${EXAMPLE} ${SERVER}
    RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE said TIMEOUT 60)
string(STRIP "${printed}" printed)
string(REPLACE "\n" "|" printed "${printed}")
if(NOT status EQUAL 0 OR NOT printed STREQUAL PRINTS)
    message(FATAL_ERROR "exit status ${status}\nexpected: ${PRINTS}\nprinted: ${printed}\n${said}")
endif()
