// Tests that build real sandboxes need what berth-launcher needs. Where it is
// missing they say so and pass, unless BERTH_REQUIRE_SANDBOX=1, as in CI.
#pragma once

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

namespace berth {

// Why no sandbox can be built here; empty when one can.
inline std::string why_no_sandbox() {
    if (::geteuid() != 0) return "the tests do not run as root";
    const pid_t child = ::fork();
    if (child == 0) {
        const int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;
        ::_exit(::unshare(flags) == 0 ? 0 : errno);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) return "fork failed";
    const int err = WEXITSTATUS(status);
    return err == 0 ? "" : std::string{"making namespaces: "} + std::strerror(err);
}

inline bool sandbox_possible() {
    static const std::string why = why_no_sandbox();
    if (why.empty()) return true;
    const char* required = std::getenv("BERTH_REQUIRE_SANDBOX");
    if (required != nullptr && std::string{required} == "1") FAIL("no sandbox here: " << why);
    std::cout << "skipped, no sandbox here: " << why << '\n';
    return false;
}

}  // namespace berth

#define BERTH_NEEDS_SANDBOX() \
    if (!::berth::sandbox_possible()) return
