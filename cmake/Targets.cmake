# The three kinds of targets, so that a folder's CMakeLists.txt is a list of files.
# The launcher is never sanitized (NO_SANITIZE): it clones itself and drops the
# right to map memory, which the sanitizers' runtime does not survive.
function(berth_settings name no_sanitize)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
    if(NOT no_sanitize)
        target_compile_options(${name} PRIVATE ${BERTH_SANITIZE_COMPILE})
        target_link_options(${name} PRIVATE ${BERTH_SANITIZE_LINK})
    endif()
endfunction()

# berth_library(store SOURCES a.cpp b.cpp LINKS berth_model PkgConfig::sqlite3)
function(berth_library name)
    cmake_parse_arguments(ARG "NO_SANITIZE" "" "SOURCES;LINKS" ${ARGN})
    add_library(berth_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(berth_${name} PUBLIC ${ARG_LINKS})
    berth_settings(berth_${name} ${ARG_NO_SANITIZE})
endfunction()

function(berth_program name)
    cmake_parse_arguments(ARG "NO_SANITIZE" "" "SOURCES;LINKS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_LINKS})
    berth_settings(${name} ${ARG_NO_SANITIZE})
endfunction()

# berth_test(store SOURCES a_test.cpp LINKS berth_store [TIMEOUT 1800] [SERIAL]): one
# program per folder, one ctest entry per test case, named `store.<case>`.
function(berth_test name)
    cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "SOURCES;LINKS" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 900) # for what hangs: no machine is too slow for it
    endif()
    set(properties TIMEOUT ${ARG_TIMEOUT})
    if(ARG_SERIAL)
        list(APPEND properties RUN_SERIAL TRUE)
    endif()
    add_executable(${name}_test ${ARG_SOURCES})
    target_link_libraries(${name}_test PRIVATE berth_test_main ${ARG_LINKS})
    berth_settings(${name}_test FALSE)
    catch_discover_tests(${name}_test TEST_PREFIX "${name}." PROPERTIES ${properties})
endfunction()
