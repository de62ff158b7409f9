#include "tests/layers/proofs.h"

#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace berth {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream{file}.rdbuf();
    return text.str();
}

template <typename Each>
void each_match(const std::string& text, const char* pattern, Each each) {
    const std::regex expression{pattern};
    for (std::sregex_iterator match{text.begin(), text.end(), expression}, end; match != end;
         ++match)
        each(*match);
}

// As ctest names them: a suite's cases, and what a folder adds by itself.
struct Tests {
    std::set<std::string> suites;
    std::set<std::string> cases;   // without their suite
    std::set<std::string> others;  // added by name, up to the first variable in it

    bool has(const std::string& suite, const std::string& name) const {
        if (suites.contains(suite) && cases.contains(name)) return true;
        const std::string whole = suite + "." + name;
        for (const std::string& other : others)
            if (other.ends_with('$') ? whole.starts_with(other.substr(0, other.size() - 1))
                                     : whole == other)
                return true;
        return false;
    }
    bool may_have(const std::string& suite) const {
        if (suites.contains(suite)) return true;
        for (const std::string& other : others)
            if (other.starts_with(suite + ".")) return true;
        return false;
    }
};

Tests tests_below(const fs::path& root) {
    Tests tests;
    for (const auto& entry : fs::recursive_directory_iterator{root / "tests"}) {
        const fs::path& path = entry.path();
        if (path.filename() == "CMakeLists.txt") {
            const std::string text = text_of(path);
            each_match(text, R"(berth_test\(\s*(\w+))",
                       [&](const std::smatch& m) { tests.suites.insert(m[1]); });
            each_match(text, R"re(TEST_PREFIX\s+"(\w+)\.")re",
                       [&](const std::smatch& m) { tests.suites.insert(m[1]); });
            each_match(text, R"re(add_test\(NAME\s+(?:"([^"$]+)|([^"$)\s]+))(\$?))re",
                       [&](const std::smatch& m) {
                           tests.others.insert(m[1].str() + m[2].str() + m[3].str());
                       });
        } else if (path.string().ends_with("_test.cpp")) {
            // A long name is several literals side by side.
            each_match(
                text_of(path), R"re(TEST_CASE\(((?:\s*"(?:[^"\\]|\\.)*")+))re",
                [&](const std::smatch& found) {
                    std::string name;
                    each_match(found[1], R"re("((?:[^"\\]|\\.)*)")re",
                               [&](const std::smatch& part) { name += part[1]; });
                    tests.cases.insert(std::regex_replace(name, std::regex{R"(\\(.))"}, "$1"));
                });
        }
    }
    return tests;
}

class Page {
public:
    Page(const Tests& tests, std::string name, std::vector<std::string>& wrong)
        : tests_{tests}, name_{std::move(name)}, wrong_{wrong} {}

    void line(const std::string& text) {
        ++number_;
        if (text.starts_with("|---")) return void(in_table_ = true);
        if (!text.starts_with("|")) in_table_ = false;
        bool proved = false;
        each_match(text, "`([^`]+)`", [&](const std::smatch& m) { proved |= quoted(m[1]); });
        if (in_table_ && !proved) add("a claim without a test or a command");
    }

private:
    bool quoted(const std::string& text) {
        static const std::regex command{
            R"((\./dev|berth|BERTH_\w+=|tests/|\w+_bench|\w+_test) ?.*)"};
        static const std::regex test{R"((\w+)\.(.+))"};
        std::smatch m;
        if (std::regex_match(text, m, test) && tests_.may_have(m[1])) {
            if (tests_.has(m[1], m[2])) return true;
            add(fmt::format("there is no test '{}'", text));
            return true;
        }
        return std::regex_match(text, command);
    }

    void add(const std::string& what) {
        wrong_.push_back(fmt::format("{}:{}: {}", name_, number_, what));
    }

    const Tests& tests_;
    const std::string name_;
    std::vector<std::string>& wrong_;
    int number_ = 0;
    bool in_table_ = false;
};

}  // namespace

std::vector<std::string> unproved(const fs::path& root) {
    const Tests tests = tests_below(root);
    std::set<fs::path> pages;
    for (const auto& entry : fs::directory_iterator{root / "docs" / "proof"})
        pages.insert(entry.path());
    std::vector<std::string> wrong;
    for (const fs::path& path : pages) {
        Page page{tests, fs::relative(path, root).string(), wrong};
        std::istringstream lines{text_of(path)};
        for (std::string line; std::getline(lines, line);)
            page.line(line);
    }
    return wrong;
}

}  // namespace berth
