// What the memory of a parked sandbox holds, read from the host (sandbox.md T32): nothing
// of a run before it, nothing of the host, nothing of what its launcher was told.
#include <fcntl.h>
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

using Words = std::set<std::string>;

// Looks for them in all that the process has mapped and may read.
Words found_in(pid_t pid, const Words& words) {
    const std::string proc = "/proc/" + std::to_string(pid);
    const Fd memory{::open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(memory);
    Words found;
    std::size_t bytes_read = 0;
    std::ifstream maps{proc + "/maps"};
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields{line};
        std::uintptr_t begin = 0, end = 0;
        char dash = 0;
        std::string rights;
        fields >> std::hex >> begin >> dash >> end >> rights;
        if (rights.empty() || rights[0] != 'r' || line.find("[v") != std::string::npos) continue;
        std::string bytes(end - begin, '\0');
        const ssize_t n =
            ::pread(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(begin));
        REQUIRE(n > 0);
        bytes_read += static_cast<std::size_t>(n);
        for (const std::string& word : words)
            if (bytes.find(word) != std::string::npos) found.insert(word);
    }
    REQUIRE(bytes_read > 64 * 1024);
    return found;
}

// In any process of the sandbox: its pid 1 has the uid before the script's.
Words found_in(const Sandbox& sandbox, const Words& words) {
    Words found;
    std::size_t processes = 0;
    for (const uid_t uid : {sandbox.reply.uid - 1, sandbox.reply.uid})
        for (const pid_t pid : processes_of(uid)) {
            found.merge(found_in(pid, words));
            ++processes;
        }
    CHECK(processes == 2);
    return found;
}

}  // namespace

TEST_CASE("a parked sandbox's memory holds nothing of a run before it, nor of the host", "[pool]") {
    BERTH_NEEDS_SANDBOX();
    const std::string secret = "s3cret-of-a-run-before";
    const std::string of_the_host = "environment-of-the-launcher";
    ::setenv("BERTH_PLANTED", of_the_host.c_str(), /*overwrite=*/1);
    Launcher launcher{{.slots = 8, .pool = 2, .listening = true}};
    ::unsetenv("BERTH_PLANTED");
    launcher.connect();
    const Words words{secret, of_the_host, launcher.folder(), "BERTH_PLANTED"};

    Sandbox used = launcher.await_parked();
    launcher.take(used, launcher.request().assignment);
    Run run;
    run.argv = {"/bin/cat"};
    run.env = {"KEY=" + secret};
    run.files = {{"trigger.json", secret}};
    CHECK_FALSE(used.start(run));
    CHECK(launcher.await_attached().step == ipc::Step::none);
    // The control: the same look finds it where it must be.
    CHECK(found_in(used, words).count(secret) == 1);
    CHECK(found_in(launcher.pid(), {launcher.folder(), secret}) == Words{launcher.folder()});
    used.end_input();
    CHECK(used.finish().report);

    // Both were built before that run, or beside it; the third one after it.
    for (int i = 0; i < 3; ++i) {
        Sandbox parked = launcher.await_parked();
        CHECK(found_in(parked, words) == Words{});
        launcher.take(parked, launcher.request().assignment);
        CHECK(launcher.await_attached().step == ipc::Step::none);
    }
}
