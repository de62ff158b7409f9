// The table of operations, held against the store's headers.
#include "tests/faults/operations.h"

#include <catch2/catch.hpp>
#include <cctype>
#include <filesystem>
#include <set>

#include "base/file.h"

using namespace berth;
using namespace berth::test;

namespace {

// Part of the seam, or a piece of another operation (accept_trigger, begin_run, LogStore).
const std::set<std::string> kNoOperations{"migrate",      "run",          "Tx",       "add_waiting",
                                          "take_waiting", "end_attempts", "hold_run", "let_run_go",
                                          "write_chunk",  "read_chunks"};

// The names of the functions that take the database first.
std::set<std::string> functions_in(std::string_view header) {
    std::set<std::string> names;
    constexpr std::string_view kTakesDb = "(Db& db";
    for (auto at = header.find(kTakesDb); at != std::string_view::npos;
         at = header.find(kTakesDb, at + 1)) {
        auto begin = at;
        while (begin > 0 && (std::isalnum(static_cast<unsigned char>(header[begin - 1])) != 0 ||
                             header[begin - 1] == '_'))
            --begin;
        if (begin < at) names.emplace(header.substr(begin, at - begin));
    }
    return names;
}

std::set<std::string> store_functions() {
    std::set<std::string> all;
    const auto store = std::filesystem::path{BERTH_SOURCE_DIR} / "store";
    for (const auto& entry : std::filesystem::directory_iterator{store}) {
        if (entry.path().extension() != ".h") continue;
        auto text = read_file(entry.path(), 1 << 20);
        REQUIRE(text);
        all.merge(functions_in(*text));
    }
    for (const std::string& name : kNoOperations)
        all.erase(name);
    return all;
}

}  // namespace

TEST_CASE("every function of the store is an operation of the fault tests", "[faults]") {
    std::set<std::string> covered;
    for (const Operation& operation : operations()) {
        INFO(operation.name);
        CHECK(covered.insert(operation.name).second);  // once
    }
    const auto there = store_functions();
    CHECK(there.size() > 50);
    for (const std::string& name : there) {
        INFO("put '" << name << "' into tests/faults/operations_*.cpp");
        CHECK(covered.contains(name));
    }
    for (const std::string& name : covered) {
        INFO("'" << name << "' is an operation, but no function of store/*.h");
        CHECK(there.contains(name));
    }
}

TEST_CASE("a function of the store that is no operation would be noticed", "[faults]") {
    const auto found = functions_in(
        "Result<void> drop_all(Db& db, const By& by);\nint other(int);\n  f([](Db& db) {});");
    CHECK(found == std::set<std::string>{"drop_all"});
}
