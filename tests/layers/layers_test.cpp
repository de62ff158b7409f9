// The architecture as a test; and the test's own test: a breach that is planted in
// a small tree must be found, each for its own reason.
#include "tests/layers/layers.h"

#include <catch2/catch.hpp>

#include "base/file.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

// A small tree that breaks no rule.
class Tree {
public:
    Tree() {
        put("base/fd.h", "// Owns.\n#pragma once\n");
        put("model/run.h", "// A run.\n#pragma once\n#include \"base/fd.h\"\n");
        put("store/runs.h", "// Runs.\n#pragma once\n#include \"model/run.h\"\n");
        put("store/runs.cpp", "#include \"store/runs.h\"\n#include <sqlite3.h>\n");
        put("vault/open.h", "// Opens.\n#pragma once\n");
        put("vault/seal.h", "// Seals.\n#pragma once\n");
        put("vault/CMakeLists.txt", "berth_library(vault_open SOURCES open.cpp)\n");
        put("control/client.h", "// Asks.\n#pragma once\n");
        put("control/server.h", "// Answers.\n#pragma once\n");
        put("sandbox/ipc/messages.h", "// Frames.\n#pragma once\n");
        put("sandbox/ipc/launcher_protocol.h", "// Records.\n#pragma once\n");
        put("sandbox/grants.h", "// Weakenings.\n#pragma once\n");
        put("sandbox/runner/main.cpp",
            "// Runs.\n#include \"vault/open.h\"\n#include \"sandbox/ipc/messages.h\"\n");
        put("sandbox/runner/CMakeLists.txt", "berth_program(x LINKS berth_vault_open)\n");
        put("sandbox/launcher/main.cpp",
            "// Builds.\n#include \"base/fd.h\"\n#include \"sandbox/ipc/launcher_protocol.h\"\n");
        put("daemon/app.cpp",
            "// Wires.\n#include \"store/runs.h\"\n#include \"sandbox/ipc/messages.h\"\n");
        put("cli/main.cpp", "// Asks.\n#include \"control/client.h\"\n");
        put("tests/store/runs_test.cpp", "// Tests.\n#include \"vault/open.h\"\n");
    }
    void put(const fs::path& name, std::string_view text) {
        fs::create_directories((dir_.path() / name).parent_path());
        write_file_atomically(dir_.path() / name, text, 0644);
    }
    std::vector<std::string> found() const { return breaches(dir_.path()); }

private:
    TempDir dir_{"layers"};
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("the source tree keeps its own architecture", "[layers]") {
    REQUIRE(count_sources(BERTH_SOURCE_DIR) > 50);  // else there was nothing to look at
    for (const auto& breach : breaches(BERTH_SOURCE_DIR))
        FAIL_CHECK(breach);
}

TEST_CASE("a tree without breaches has none", "[layers]") { CHECK(Tree{}.found() == Lines{}); }

TEST_CASE("an include against the arrows is found", "[layers]") {
    struct Case {
        const char* file;
        const char* included;
        const char* folder;
    };
    const auto planted =
        GENERATE(Case{"base/clock.h", "model/run.h", "base/"},
                 Case{"model/tenant.h", "store/runs.h", "model/"},
                 Case{"store/logs.h", "vault/seal.h", "store/"},
                 Case{"scheduler/pick.h", "store/runs.h", "scheduler/"},
                 Case{"control/api.h", "daemon/app.h", "control/"},
                 Case{"vault/mask.h", "sandbox/ipc/messages.h", "vault/"},
                 Case{"sandbox/ipc/codec.h", "sandbox/runner/main.h", "sandbox/ipc/"},
                 Case{"sandbox/runner/x.h", "store/runs.h", "sandbox/runner/"},
                 Case{"sandbox/launcher/x.h", "base/text.h", "sandbox/launcher/"},
                 Case{"sandbox/launcher/x.h", "sandbox/ipc/messages.h", "sandbox/launcher/"},
                 Case{"sandbox/launcher/x.h", "model/run.h", "sandbox/launcher/"},
                 Case{"daemon/config.h", "sandbox/runner/main.h", "daemon/"},
                 Case{"daemon/config.h", "cli/output.h", "daemon/"},
                 Case{"cli/output.h", "control/server.h", "cli/"},
                 Case{"cli/output.h", "store/runs.h", "cli/"});
    Tree tree;
    tree.put(planted.file,
             std::string{"// What.\n#pragma once\n#include \""} + planted.included + "\"\n");
    CHECK(tree.found() == Lines{std::string{planted.file} + ":3: includes \"" + planted.included +
                                "\": there is no arrow from " + planted.folder + " to it"});
}

TEST_CASE("the vault's opening half is for the runner alone", "[layers]") {
    Tree tree;
    SECTION("by include") {
        tree.put("daemon/keys.cpp", "// Keys.\n#  include \"vault/open.h\"\n");
        CHECK(tree.found() == Lines{"daemon/keys.cpp:2: includes \"vault/open.h\": only "
                                    "berth-runner may open secrets"});
    }
    SECTION("by link") {
        tree.put(
            "daemon/CMakeLists.txt",
            "# berth_vault_open is not for us\nberth_program(berthd\n  LINKS berth_vault_open)\n");
        CHECK(tree.found() == Lines{"daemon/CMakeLists.txt:3: links berth_vault_open: only "
                                    "berth-runner may open secrets"});
    }
}

TEST_CASE("a file that breaks a rule of form is found", "[layers]") {
    Tree tree;
    SECTION("a heavy header in a header") {
        tree.put("model/json.h", "// Json.\n#pragma once\n#include <nlohmann/json.hpp>\n");
        CHECK(tree.found() == Lines{"model/json.h:3: includes <nlohmann/json.hpp>, which belongs "
                                    "into .cpp files"});
    }
    SECTION("a path that does not start at the root") {
        tree.put("store/logs.cpp", "// Logs.\n#include \"runs.h\"\n");
        CHECK(tree.found() ==
              Lines{"store/logs.cpp:2: includes \"runs.h\": write the path from the "
                    "repository root"});
    }
    SECTION("a file that does not say what it is") {
        tree.put("store/logs.cpp", "#include <string>\n");
        CHECK(tree.found() ==
              Lines{"store/logs.cpp:1: does not open with a comment that says what lives in it"});
    }
    SECTION("a file that is too long, and one that is just not") {
        std::string text = "// Long.\n";
        for (int i = 1; i < 500; ++i)
            text += "\n";
        tree.put("store/logs.cpp", text);
        CHECK(tree.found() == Lines{});
        tree.put("store/logs.cpp", text + "\n");
        CHECK(tree.found() == Lines{"store/logs.cpp:501: has 501 lines, more than 500: split it"});
    }
}
