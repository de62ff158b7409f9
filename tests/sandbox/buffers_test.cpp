// Pipes, sockets and memfds that are filled and never read (sandbox.md T9, T27): their memory
// is in no process. A group counts it; without one the limits of files and of their size do.
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <sstream>

#include "tests/sandbox/v1_groups.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

constexpr const char* kKinds[] = {"fill-pipes", "fill-unix-sockets", "fill-connections",
                                  "fill-memfds"};

// What the probe had when it was stopped.
struct Filled {
    int buffers = 0;
    std::size_t bytes = 0;
    std::string why;
};

Filled filled(const std::string& said) {
    Filled told;
    std::istringstream words{said};
    words >> told.buffers >> told.bytes >> told.why;
    return told;
}

ipc::BuildRequest with(const Launcher& launcher, std::uint64_t open_files,
                       std::uint64_t memory_mib = 512) {
    ipc::BuildRequest request = launcher.request();
    request.assignment.limits.open_files = open_files;
    request.assignment.limits.memory_bytes = memory_mib << 20;
    request.assignment.limits.file_bytes = 1 << 20;
    return request;
}

}  // namespace

TEST_CASE("without a group what lies in pipes, sockets and memfds stops with the open files",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const auto fill = [&](const char* kind, std::uint64_t open_files) {
        return filled(launcher.run_with(with(launcher, open_files), probe({kind})).out);
    };
    for (const char* kind : kKinds) {
        const Filled some = fill(kind, 24);
        const Filled more = fill(kind, 48);  // the control: twice the limit, twice as far
        INFO(kind << ": " << some.bytes << " and " << more.bytes << " bytes");
        CHECK(some.why == "EMFILE");
        CHECK(more.why == "EMFILE");
        // Three streams and a listener are open, and most kinds take two descriptors each.
        const bool single = kind == std::string{"fill-memfds"};
        CHECK(some.buffers == (single ? 21 : 10));
        CHECK(more.buffers == (single ? 45 : 22));
        CHECK(some.bytes > 0);
        CHECK(more.bytes > some.bytes);
        if (single) CHECK(more.bytes == std::size_t{45} << 20);
    }
}

TEST_CASE("v1 counts what lies in pipes, sockets and memfds", "[sandbox]") {
    BERTH_NEEDS_V1();
    Launcher launcher{{.slots = 2, .cgroups = "auto"}};
    const V1Groups groups{launcher};
    REQUIRE((launcher.hello.protections & ipc::protection_cgroup_v1) != 0);
    constexpr std::uint64_t kSmallMib = 16;
    constexpr std::uint64_t kLargeMib = 512;
    for (const char* kind : kKinds) {
        INFO(kind);
        const Ended stopped = launcher.run_with(with(launcher, 128, kSmallMib), probe({kind}));
        const Ended free = launcher.run_with(with(launcher, 128, kLargeMib), probe({kind}));
        CHECK(filled(free.out).why == "EMFILE");
        REQUIRE(stopped.report);
        INFO(stopped.out << free.out);
        // TCP has a count of its own, and who is at it gets nothing more into his connections.
        if (kind == std::string{"fill-connections"}) {
            CHECK(filled(stopped.out).bytes <= (kSmallMib + 8) << 20);
        } else {
            CHECK(stopped.out == "");
            CHECK(WIFSIGNALED(stopped.report->wait_status));
            CHECK(WTERMSIG(stopped.report->wait_status) == SIGKILL);
        }
        CHECK(filled(free.out).bytes > kSmallMib << 20);
    }
    end(launcher);
}
