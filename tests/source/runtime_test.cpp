#include "source/runtime.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "base/file.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

const std::vector<Runtime> kHost{{"host", "node", "18.19.0"},
                                 {"host", "node", "18.20.4"},
                                 {"host", "node", "9.1.0"},
                                 {"host", "python", "3.11.2"},
                                 {"host", "sh", ""}};

std::string resolve(const char* base, NearMatch near = NearMatch::refuse) {
    const auto choice = resolve_runtime(kHost, parse_base(base).value(), near);
    if (!choice) {
        CHECK(choice.error().kind == FailureKind::unprocessable);
        return choice.error().message;
    }
    return choice->runtime.language + " " + choice->runtime.version +
           (choice->note.empty() ? "" : " | " + choice->note);
}

void make_program(const fs::path& path, std::string_view script) {
    fs::create_directories(path.parent_path());
    write_file_atomically(path, script, 0755);
}

}  // namespace

TEST_CASE("a base gets the newest runtime that fits it", "[source]") {
    CHECK(resolve("node") == "node 18.20.4");
    CHECK(resolve("Node:18") == "node 18.20.4");
    CHECK(resolve("node:18.19") == "node 18.19.0");
    CHECK(resolve("node:18.20.4") == "node 18.20.4");
    CHECK(resolve("node:9") == "node 9.1.0");
    CHECK(resolve("python:3.11") == "python 3.11.2");
    CHECK(resolve("sh") == "sh ");
    CHECK(resolve("shell") == "sh ");
    CHECK(resolve("sh:1") == "sh ");
}

TEST_CASE("a base that does not fit is refused with what there is and the cure", "[source]") {
    CHECK(resolve("node:18.19.1") ==
          "no runtime for 'base: node:18.19.1': there is node 18.20.4; write 'base: node:18.20' in "
          "the manifest, or set 'allow_near_runtime' in berthd's configuration to run it on that");
    CHECK(resolve("python:3.1") ==
          "no runtime for 'base: python:3.1': there is python 3.11.2; write 'base: python:3.11' in "
          "the manifest, or set 'allow_near_runtime' in berthd's configuration to run it on that");
    CHECK(resolve("ruby:2.6") ==
          "no runtime for 'base: ruby:2.6' (there is: node:18.19.0, node:18.20.4, node:9.1.0, "
          "python:3.11.2, sh); install it with 'apt-get install ruby' and restart berthd");
    CHECK_THAT(resolve("cobol:60"),
               Catch::Contains("install cobol 60 below /usr and restart berthd"));
}

TEST_CASE("a near match is taken only where it is allowed, and says so", "[source]") {
    CHECK(resolve("node:18.1", NearMatch::allow) ==
          "node 18.20.4 | near match: 'base: node:18.1' runs on node 18.20.4");
    CHECK(resolve("node:9.9", NearMatch::allow) ==
          "node 9.1.0 | near match: 'base: node:9.9' runs on node 9.1.0");
    CHECK(resolve("node:24", NearMatch::allow) ==
          "node 18.20.4 | near match: 'base: node:24' runs on node 18.20.4");
    CHECK_THAT(resolve("ruby", NearMatch::allow), Catch::StartsWith("no runtime for"));
}

TEST_CASE("the host's languages are found by asking their programs", "[source]") {
    const TempDir root{"berth-runtimes"};
    make_program(root.path() / "usr/bin/node", "#!/bin/sh\necho v20.9.0\n");
    make_program(root.path() / "usr/local/bin/node", "#!/bin/sh\necho v22.11.0\n");
    make_program(root.path() / "usr/bin/java",
                 "#!/bin/sh\necho 'openjdk version \"17.0.13\" 2024-10-15' >&2\n");
    make_program(root.path() / "usr/bin/php", "#!/bin/sh\nexit 1\n");
    make_program(root.path() / "usr/bin/go", "#!/bin/sh\necho go version go1.19.8.1 linux\n");
    make_program(root.path() / "usr/bin/sh", "");
    // Answers and stays: it is not waited for beyond the end of its output.
    make_program(root.path() / "usr/bin/python3",
                 "#!/bin/sh\necho Python 3.13; exec >&- 2>&-; exec sleep 1000\n");
    CHECK(host_runtimes(root.path()) == std::vector<Runtime>{{"host", "node", "22.11.0"},
                                                             {"host", "python", "3.13"},
                                                             {"host", "java", "17.0.13"},
                                                             {"host", "go", "1.19.8"},
                                                             {"host", "sh", ""}});
}

TEST_CASE("this host has a shell", "[source]") {
    const auto found = host_runtimes();
    CHECK(std::ranges::any_of(found, [](const Runtime& one) { return one.language == "sh"; }));
}
