# What a run finds in its environment: a library of its own, so that its tests need
# nothing of the daemon.
berth_library(run_env
    SOURCES ${CMAKE_SOURCE_DIR}/daemon/run_env.cpp
    LINKS berth_model)
