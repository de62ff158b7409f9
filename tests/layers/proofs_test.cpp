// Every page of proof names tests that there are; and the test's own test.
#include "tests/layers/proofs.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "base/file.h"

using namespace berth;

namespace {

// A page of one table.
std::vector<std::string> wrong_in(const std::string& rows) {
    const TempDir root{"berth-proofs"};
    std::filesystem::create_directories(root.path() / "tests/store");
    std::filesystem::create_directories(root.path() / "docs/proof");
    const auto put = [&](const char* name, const std::string& text) {
        std::ofstream{root.path() / name} << text;
    };
    put("tests/store/CMakeLists.txt",
        "berth_test(store SOURCES a_test.cpp)\nadd_test(NAME ring2.nspawn COMMAND x)\n");
    put("tests/store/a_test.cpp",
        "TEST_CASE(\"nothing is\"\n    \" \\\"lost\\\"\", \"[store]\") {}\n");
    put("docs/proof/store.md", "# Proof of a.b\n\n| claim | proved by |\n|---|---|\n" + rows);
    return unproved(root.path());
}

}  // namespace

TEST_CASE("every test that a page of proof names is there", "[layers]") {
    for (const std::string& wrong : unproved(BERTH_SOURCE_DIR))
        FAIL_CHECK(wrong);
}

TEST_CASE("a proof that is none is found", "[layers]") {
    CHECK(wrong_in("| a | `store.nothing is \"lost\"` |\n| b | `ring2.nspawn` |\n"
                   "| c | `./dev kills 10` |\n")
              .empty());
    CHECK(wrong_in("| a | `store.everything is lost` |\n") ==
          std::vector<std::string>{
              "docs/proof/store.md:5: there is no test 'store.everything is lost'"});
    CHECK(wrong_in("| a | we are sure |\n| b | see `nothing` |\n") ==
          std::vector<std::string>{"docs/proof/store.md:5: a claim without a test or a command",
                                   "docs/proof/store.md:6: a claim without a test or a command"});
}
