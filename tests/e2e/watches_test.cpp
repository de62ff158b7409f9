// The watches of canary_test.cpp find what is there for a moment only.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/file.h"
#include "base/pipe.h"
#include "tests/e2e/exec_watch.h"
#include "tests/e2e/file_watch.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("a file that is gone as soon as it was written is seen with its content", "[watches]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir folder{"berth-watch"};
    FileWatch watch{[](std::string_view content) {
        return content.find("a canary") != std::string_view::npos ? 1U : 0U;
    }};
    const auto name = folder.path() / "short-lived";
    for (const char* text : {"nothing", "with a canary in it"}) {
        const Fd file{::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
        REQUIRE(file);
        const std::string_view bytes{text};
        REQUIRE(::write(file.get(), bytes.data(), bytes.size()) ==
                static_cast<ssize_t>(bytes.size()));
        REQUIRE(::unlink(name.c_str()) == 0);
    }
    const auto& seen = watch.finish();
    INFO(seen.where);
    CHECK(seen.hits > 0);
    CHECK_THAT(seen.where, Catch::Contains("short-lived"));
    CHECK_FALSE(seen.files.empty());
}

TEST_CASE("a program that ends at once is seen with its arguments", "[watches]") {
    BERTH_NEEDS_SANDBOX();
    Pipe go = make_pipe();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        go.write.reset();
        char byte = 0;
        (void)!::read(go.read.get(), &byte, 1);
        ::execl("/bin/sh", "sh", "-c", "/bin/true its-secret; /bin/true other & wait", nullptr);
        ::_exit(1);
    }
    go.read.reset();
    const ExecWatch watch{child};
    // Not by closing: the tracer has a copy of it.
    REQUIRE(::write(go.write.get(), "g", 1) == 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    const auto seen = watch.seen();
    CHECK(seen.programs == 3);
    CHECK_THAT(seen.arguments, Catch::Contains(std::string{"/bin/true\0its-secret\0", 21}));
}
