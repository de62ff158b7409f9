// What tests of limits by cgroup v1 need: where it is, and what a launcher leaves there.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "sandbox/launcher/cgroup_find.h"
#include "tests/sandbox/sandbox.h"

namespace berth::sandbox_test {

// Where v1 has memory and processes for this test's own group, as on older systems.
inline std::string v1_parent(const char* controller) {
    return launcher::own_group(launcher::text_of("/proc/self/cgroup"),
                               launcher::text_of("/proc/self/mountinfo"), controller);
}

#define BERTH_NEEDS_V1()                                                         \
    BERTH_NEEDS_SANDBOX();                                                       \
    if (v1_parent("memory").empty() || v1_parent("pids").empty()) {              \
        WARN("skipped: this machine has no cgroup v1 for memory and processes"); \
        return;                                                                  \
    }

// A launcher's groups of v1. Their folder is left where the launcher, without the right to
// write in root's own folders, could not remove it.
struct V1Groups {
    explicit V1Groups(const Launcher& launcher) {
        for (const char* controller : {"memory", "pids", "cpu"})
            if (const std::string parent = v1_parent(controller); !parent.empty())
                folders.push_back(std::filesystem::path{parent} /
                                  ("berth-" + std::to_string(launcher.first_uid())));
    }
    ~V1Groups() {
        for (const auto& folder : folders)
            ::rmdir(folder.c_str());
    }
    int slots() const {
        int count = 0;
        std::error_code ignored;
        for (const auto& folder : folders)
            for (const auto& entry : std::filesystem::directory_iterator{folder, ignored})
                count += entry.is_directory() ? 1 : 0;
        return count;
    }
    std::vector<std::filesystem::path> folders;
};

// Ends a launcher in peace, which is when it removes its groups.
inline void end(Launcher& launcher) {
    launcher.close_socket();
    CHECK(launcher.await_exit() == 0);
}

}  // namespace berth::sandbox_test
