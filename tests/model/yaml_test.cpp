#include "model/yaml.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "model/limits.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

std::string refusal(std::string_view text, FailureKind kind = FailureKind::invalid) {
    const auto read = read_yaml(text, "f.yaml");
    if (read) return fmt::format("read as {}", read->value->dump());
    CHECK(read.error().kind == kind);
    return read.error().message;
}

std::string value(std::string_view text) {
    const auto read = read_yaml(text, "f.yaml");
    return read ? read->value->dump() : read.error().message;
}

// Errors that yaml-cpp does not see. Harmless in a manifest: nothing is read that
// is not in the text (a line without a colon becomes a key without a value).
const std::set<std::string> kTooLenient{"236B", "7MNF", "9C9N", "9CWY", "9JBA", "9MAG", "9MMA",
                                        "B63P", "CQ3W", "CTN5", "CVW2", "G5U8", "G9HC", "H7J7",
                                        "HRE5", "QB6E", "S98Z", "SU5Z", "X4QW", "YJV2"};
// Blank lines at the end of a block scalar, which yaml-cpp drops.
const std::set<std::string> kDifferent{"JEF9/02", "L24T/01", "NAT4"};
// Why we refuse what the suite calls valid, and how often. The last two are
// yaml-cpp's: a key on another line than its colon, a token it does not know.
const std::map<std::string, int> kOurReasons{
    {"a tab in the indentation", 29}, {"is not known; leave it out", 16}, {"a second document", 16},
    {"an alias cannot be a key", 2},  {"a key is missing", 11},           {"unknown token", 3}};

bool is_case(const fs::path& dir) { return fs::exists(dir / "in.yaml"); }

std::vector<fs::path> suite() {
    const fs::path root = fs::path{BERTH_SOURCE_DIR} / "../shared/testdata/yaml";
    std::vector<fs::path> cases;
    if (!fs::exists(root)) return cases;
    for (const auto& entry : fs::recursive_directory_iterator{root})
        if (entry.is_directory() && is_case(entry.path())) cases.push_back(entry.path());
    std::ranges::sort(cases);
    return cases;
}

std::string slurp(const fs::path& path) { return read_file(path, 1 << 20).value(); }

}  // namespace

TEST_CASE("the YAML test suite is read or refused as it says", "[source]") {
    const auto cases = suite();
    if (cases.empty()) {
        std::cout << "skipped: the YAML test suite is not here\n";
        return;
    }
    std::set<std::string> lenient, different;
    std::map<std::string, int> reasons;
    int equal = 0;
    for (const fs::path& dir : cases) {
        std::string name = dir.filename().string();
        if (name.size() < 4) name = dir.parent_path().filename().string() + "/" + name;
        const auto read = read_yaml(slurp(dir / "in.yaml"), name);
        if (fs::exists(dir / "error")) {
            if (read)
                lenient.insert(name);
            else
                CHECK_THAT(read.error().message, Catch::StartsWith(name + ":"));
        } else if (fs::exists(dir / "in.json") && !read) {
            const auto reason = std::ranges::find_if(kOurReasons, [&](const auto& known) {
                return read.error().message.find(known.first) != std::string::npos;
            });
            INFO(read.error().message);
            REQUIRE(reason != kOurReasons.end());
            ++reasons[reason->first];
        } else if (fs::exists(dir / "in.json")) {
            const std::string json = slurp(dir / "in.json");
            const Json expected = json.empty() ? Json{} : Json::parse(json);
            if (*read->value == expected)
                ++equal;
            else
                different.insert(name);
        }
    }
    CHECK(lenient == kTooLenient);
    CHECK(different == kDifferent);
    CHECK(Json(reasons).dump() == Json(kOurReasons).dump());
    CHECK(equal == 199);
}

TEST_CASE("scalars have the types of YAML 1.2", "[source]") {
    CHECK(value("[true, False, yes, ~, null, '', '5', 5, -7, +3, 0x1f, 0o17]") ==
          R"([true,false,"yes",null,null,"","5",5,-7,3,31,15])");
    CHECK(value("[0.4, 1., .5, 1e3, 1.2.3, 20.9.0, 2026-11-22, node:20]") ==
          R"([0.4,1.0,0.5,1000.0,"1.2.3","20.9.0","2026-11-22","node:20"])");
    CHECK(value("[-9223372036854775808, 18446744073709551615]") ==
          "[-9223372036854775808,18446744073709551615]");
    CHECK(value("a: |\n  two\n  lines\nb: >\n  one\n  line\n") ==
          R"({"a":"two\nlines\n","b":"one line\n"})");
    CHECK(value("") == "null");
    CHECK(value("a:\n- x   # indented or flush\n- y\nb:\n  - z\n") ==
          R"({"a":["x","y"],"b":["z"]})");
}

TEST_CASE("a scalar keeps what was written and where", "[source]") {
    const auto read = read_yaml("version: 1.0\nbase:\n  - deep: 0x10\n", "f.yaml");
    REQUIRE(read);
    CHECK(read->place("/version").written == "1.0");
    CHECK(read->place("/version").key == YamlMark{1, 1});
    CHECK(read->place("/version").value == YamlMark{1, 10});
    CHECK(read->place("/base/0/deep").value == YamlMark{3, 11});
    CHECK(read->place("/base/0/none/such").value == YamlMark{3, 5});
}

TEST_CASE("an alias repeats its anchor", "[source]") {
    CHECK(value("a: &x {k: [1]}\nb: *x\n") == R"({"a":{"k":[1]},"b":{"k":[1]}})");
}

TEST_CASE("what restricted YAML leaves out is refused with its place", "[source]") {
    CHECK(refusal("a: 1\n\tb: 2\n") == "f.yaml:2:1: a tab in the indentation; use spaces");
    CHECK(refusal("a: 1\nb: 2\na: 3\n") ==
          "f.yaml:3:1: key 'a' comes twice in the same place; remove one of them");
    CHECK(refusal("a: 1\n---\nb: 2\n") ==
          "f.yaml:2:1: a second document begins here; the file must hold one");
    CHECK(refusal("a: !ruby/object x\n") ==
          "f.yaml:1:4: tag '!ruby/object' is not known; leave it out");
    CHECK(refusal("a: !!python/tuple [1]\n") ==
          "f.yaml:1:4: tag 'tag:yaml.org,2002:python/tuple' is not known; leave it out");
    CHECK(refusal("a: &x {k: 1}\nb:\n  <<: *x\n") ==
          "f.yaml:3:3: merge keys ('<<') are not read; repeat the keys");
    CHECK(refusal("? [a]\n: 1\n") == "f.yaml:1:3: a key must be plain text, not a list or a map");
    CHECK(refusal("a: &x [*x]\n") == "f.yaml:1:8: the alias stands inside what it refers to");
    CHECK(refusal("a: \xff\n") == "f.yaml:1:1: the file is not valid UTF-8");
    CHECK(refusal(std::string_view{"a: \0\n", 5}) == "f.yaml:1:4: byte 0x00 is not text");
    CHECK(refusal("a: 99999999999999999999\n") ==
          "f.yaml:1:4: number '99999999999999999999' is too large; put it in quotes");
    CHECK(refusal("a: .nan\n") == "f.yaml:1:4: '.nan' is not a number here; put it in quotes");
    CHECK(refusal("a: 1e999\n") == "f.yaml:1:4: number '1e999' is out of range; put it in quotes");
    CHECK_THAT(refusal("a: [1, 2\n"), Catch::StartsWith("f.yaml:2:1: end of sequence flow not"));
}

TEST_CASE("bombs are refused before they are built", "[source]") {
    using limits::kManifestBytes;
    const auto times = [](int n, std::string_view text) {
        std::string all;
        for (int i = 0; i < n; ++i)
            all += text;
        return all;
    };
    std::string laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n";
    for (char c = 'b'; c <= 'i'; ++c)
        laughs += fmt::format("{0}: &{0} [{1}]\n", c, times(8, fmt::format("*{}, ", char(c - 1))));
    const std::string quadratic =
        "a: &a '" + std::string(100'000, 'x') + "'\nb: [" + times(40, "*a, ") + "]\n";
    const std::string many = "a: &a 1\nb: [" + times(60, "*a, ") + "]\n";
    std::string deep_alias = "a: &a " + times(20, "[") + times(20, "]") + "\nb: " + times(20, "[") +
                             "*a" + times(20, "]") + "\n";
    const std::string long_keys = std::string(300, 'k') + ": 1\n";

    const auto before = std::chrono::steady_clock::now();
    CHECK_THAT(refusal(laughs, FailureKind::over_limit), Catch::Contains("written out"));
    CHECK_THAT(refusal(quadratic, FailureKind::over_limit), Catch::Contains("written out"));
    CHECK_THAT(refusal(many, FailureKind::over_limit), Catch::Contains("more than 50 aliases"));
    CHECK_THAT(refusal(deep_alias, FailureKind::over_limit), Catch::Contains("deeper than 32"));
    CHECK_THAT(refusal(long_keys, FailureKind::over_limit), Catch::Contains("longer than 256"));
    CHECK_THAT(refusal(times(40, "{a: ") + "1" + times(40, "}"), FailureKind::over_limit),
               Catch::Contains("deeper than 32"));
    CHECK_THAT(refusal(times(20'000, "- "), FailureKind::over_limit),
               Catch::Contains("deeper than 32"));
    for (const char* nest : {"[", "{a: ", "? ", "{", "[{"})  // each might still become a key
        CHECK_THAT(refusal(times(20'000, nest)), Catch::Contains("a key must be plain text"));
    CHECK_THAT(refusal("[" + times(100'001, "1,") + "]", FailureKind::over_limit),
               Catch::Contains("more than 100000 values"));
    CHECK_THAT(refusal(std::string(kManifestBytes + 1, ' '), FailureKind::over_limit),
               Catch::Contains("larger than 262144 bytes"));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
    std::cout << "all bombs together: " << took.count() << " s\n";
}
