// The examples do their real work on the real daemons.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

TEST_CASE("./dev demo --once runs every example as expected", "[e2e][demo]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir out{"berth-demo-test"};
    const auto log = (out.path() / "log").string();
    // A copy: it notes beside itself where its demo runs, and stops the one that did.
    const auto copy = (out.path() / "examples").string();
    std::filesystem::copy(BERTH_SOURCE_DIR "/examples", copy,
                          std::filesystem::copy_options::recursive);
    const std::string command = "BERTH_PROGRAMS=" BERTH_BINARY_DIR "/bin " + copy +
                                "/demo.sh run --once > " + log + " 2>&1";
    const int status = std::system(command.c_str());
    const auto text = berth::read_file(log, 64 << 20);
    INFO((text ? *text : text.error().message));
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
