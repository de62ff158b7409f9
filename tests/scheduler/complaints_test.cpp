// docs/complaints.md held against the tests: what it names must be there.
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"

using namespace berth;

namespace {

std::string source(const std::filesystem::path& path) {
    auto text = read_file(path, 1 << 20);
    REQUIRE(text);
    return *text;
}

// The names of all test cases, and of the tests that CMake lists by name.
std::set<std::string> all_tests() {
    std::set<std::string> names;
    namespace fs = std::filesystem;
    for (const auto& entry :
         fs::recursive_directory_iterator{fs::path{BERTH_SOURCE_DIR} / "tests"}) {
        if (!entry.path().filename().string().ends_with("_test.cpp")) continue;
        const std::string text = source(entry.path());
        for (auto at = text.find("TEST_CASE"); at != std::string::npos;
             at = text.find("TEST_CASE", at + 1)) {
            // The first string literal, which the formatter may have cut in pieces.
            std::string name;
            auto next = text.find('"', at);
            while (next != std::string::npos && text[next] == '"') {
                const auto end = text.find('"', next + 1);
                name += text.substr(next + 1, end - next - 1);
                next = text.find_first_not_of(" \n", end + 1);
            }
            names.insert(name);
        }
    }
    return names;
}

// The cells of the table's third column: names in backquotes.
std::vector<std::string> named_in(const std::string& document) {
    std::vector<std::string> names;
    for (const std::string& line : split(document, '\n')) {
        if (!line.starts_with('|')) continue;
        const auto column = line.rfind('|', line.size() - 2);
        for (auto at = line.find('`', column); at != std::string::npos;) {
            const auto end = line.find('`', at + 1);
            names.push_back(line.substr(at + 1, end - at - 1));
            at = line.find('`', end + 1);
        }
    }
    return names;
}

}  // namespace

TEST_CASE("every test that docs/complaints.md names is there", "[peers]") {
    const auto tests = all_tests();
    CHECK(tests.size() > 500);
    const auto names =
        named_in(source(std::filesystem::path{BERTH_SOURCE_DIR} / "docs" / "complaints.md"));
    CHECK(names.size() >= 25);
    for (const std::string& name : names) {
        INFO("'" << name << "' is no test any more: name the one that took its place");
        CHECK(tests.contains(name));
    }
    CHECK_FALSE(tests.contains("a complaint that nobody has made"));
}

TEST_CASE("most tests of the peers answer a complaint of the list", "[peers]") {
    const auto document =
        source(std::filesystem::path{BERTH_SOURCE_DIR} / "docs" / "complaints.md");
    const auto names = named_in(document);
    std::string here;
    for (const char* file : {"peers_test.cpp", "peers_clock_test.cpp", "peers_history_test.cpp"})
        here += source(std::filesystem::path{BERTH_SOURCE_DIR} / "tests/scheduler" / file);
    std::size_t found = 0;
    for (const std::string& name : names)
        if (here.find('"' + name + '"') != std::string::npos) ++found;
    CHECK(found >= 14);
}
