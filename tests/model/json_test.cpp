// JSON from people: the published parsing corpus (when it is there) and what
// RFC 8259 leaves open.
#include "model/json.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "model/limits.h"

using namespace berth;

namespace {

const std::filesystem::path kCorpus = BERTH_SOURCE_DIR "/../shared/testdata/json";

bool corpus_is_there() {
    if (std::filesystem::exists(kCorpus)) return true;
    std::cout << "skipped: there is no corpus at ../shared/testdata/json\n";
    return false;
}

std::string text_of(const std::filesystem::path& path) { return *read_file(path, 10'000'000); }

void refuses(const std::string& text, const std::string& where, const std::string& why) {
    INFO(text);
    const auto parsed = parse_json(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == FailureKind::invalid);
    CHECK(parsed.error().where == where);
    CHECK_THAT(parsed.error().message, Catch::Contains(why));
}

}  // namespace

TEST_CASE("JSON is read as it is written", "[model]") {
    const auto parsed = parse_json(
        R"( {"a": [1, -2, 18446744073709551615, 2.5, true, null], "b": {"c": "ü\u00fc\ud83d\ude00"}} )");
    REQUIRE(parsed);
    CHECK((*parsed)["a"][0] == 1);
    CHECK((*parsed)["a"][1] == -2);
    CHECK((*parsed)["a"][2] == 18446744073709551615ULL);
    CHECK((*parsed)["a"][3] == 2.5);
    CHECK((*parsed)["a"][4] == true);
    CHECK((*parsed)["a"][5].is_null());
    CHECK((*parsed)["b"]["c"] == "üü😀");
    CHECK(parse_json(to_text(*parsed)).value() == *parsed);
}

TEST_CASE("what JSON leaves open is refused with its place", "[model]") {
    refuses("{\"a\": 1,\n \"ü\": 2, \"a\": 3}", "2:10", "the key 'a' is there twice");
    refuses("{\"o\": {\"k\": 1, \"\\u006b\": 2}}", "1:16", "the key 'k' is there twice");
    refuses("[1, 18446744073709551616]", "1:5", "an integer outside 64 bits");
    refuses("[-9223372036854775809]", "1:2", "an integer outside 64 bits");
    refuses("[\n1e999]", "2:1", "a number is too large");
    refuses("[-1e400]", "1:2", "a number is too large");
    refuses("[NaN]", "1:2", "invalid literal");
    refuses("[Infinity]", "1:2", "invalid literal");
    refuses("\xef\xbb\xbf{}", "1:1", "byte order mark");
    refuses("\"a\xff\"", "1:3", "UTF-8");
    refuses("\"\xed\xa0\x80\"", "1:3", "UTF-8");
    refuses("\"\\ud800\"", "1:8", "surrogate");
    refuses(std::string{"[1]\0 junk", 9}, "1:4", "a zero byte");
    refuses("", "1:1", "end of input");
    refuses("{\"a\":", "1:6", "end of input");
    refuses("{} {}", "1:4", "expected end of input");
    refuses("[1,]", "1:4", "unexpected ']'");
}

TEST_CASE("a refusal does not repeat the text that it refuses", "[model]") {
    for (const char* text : {"{\"password\": hunter2secret}", "[\"hunter2secret]", "hunter2secret",
                             "{\"a\": \"hunter2secret\n\"}"}) {
        const auto parsed = parse_json(text);
        REQUIRE_FALSE(parsed);
        CHECK_THAT(parsed.error().message, !Catch::Contains("hunter2"));
    }
}

TEST_CASE("nesting is read to its limit and no deeper", "[model]") {
    const auto nested = [](std::size_t levels) {
        return std::string(levels, '[') + std::string(levels, ']');
    };
    CHECK(parse_json(nested(limits::kJsonDepth)));
    refuses(nested(limits::kJsonDepth + 1), "1:65", "nested deeper than 64 levels");
    refuses(nested(1'000'000), "1:65", "nested deeper than 64 levels");
}

TEST_CASE("text that is not UTF-8 can still be written out", "[model]") {
    CHECK(to_text(Json("a\xff"
                       "b")) ==
          "\"a\xef\xbf\xbd"
          "b\"");
}

TEST_CASE("the published corpus is decided as it says", "[model]") {
    if (!corpus_is_there()) return;
    // Valid JSON that we refuse all the same: two readers may see two values.
    const std::set<std::string> duplicate_keys{"y_object_duplicated_key.json",
                                               "y_object_duplicated_key_and_value.json"};
    // Left open by the RFC, settled here.
    const std::set<std::string> accepted{"i_number_double_huge_neg_exp.json",
                                         "i_number_real_underflow.json"};
    int seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator{kCorpus / "test_parsing"}) {
        const std::string name = entry.path().filename();
        const bool accept = name.starts_with("y_")   ? !duplicate_keys.contains(name)
                            : name.starts_with("i_") ? accepted.contains(name)
                                                     : false;
        INFO(name);
        const auto parsed = parse_json(text_of(entry.path()));
        CHECK(parsed.has_value() == accept);
        if (!parsed)
            CHECK_THAT(parsed.error().message, Catch::StartsWith("not valid JSON at line"));
        ++seen;
    }
    CHECK(seen > 300);
}

TEST_CASE("texts that parsers are known to change are kept or refused", "[model]") {
    if (!corpus_is_there()) return;
    // Empty: refused. Otherwise what comes out again.
    const std::map<std::string, std::string> expected{
        {"number_-9223372036854775808.json", "[-9223372036854775808]"},
        {"number_-9223372036854775809.json", ""},
        {"number_1.0.json", "[1.0]"},
        {"number_1.000000000000000005.json", "[1.0]"},
        {"number_1000000000000000.json", "[1000000000000000]"},
        {"number_10000000000000000999.json", "[10000000000000000999]"},  // fits 64 bits
        {"number_1e-999.json", "[0.0]"},
        {"number_1e6.json", "[1000000.0]"},
        {"number_9223372036854775807.json", "[9223372036854775807]"},
        {"number_9223372036854775808.json", "[9223372036854775808]"},
        {"object_key_nfc_nfd.json", "{\"e\u0301\":\"NFD\",\"\u00e9\":\"NFC\"}"},
        {"object_key_nfd_nfc.json", "{\"e\u0301\":\"NFD\",\"\u00e9\":\"NFC\"}"},
        {"object_same_key_different_values.json", ""},
        {"object_same_key_same_value.json", ""},
        {"object_same_key_unclear_values.json", ""},
        {"string_1_escaped_invalid_codepoint.json", ""},
        {"string_1_invalid_codepoint.json", ""},
        {"string_2_escaped_invalid_codepoints.json", ""},
        {"string_2_invalid_codepoints.json", ""},
        {"string_3_escaped_invalid_codepoints.json", ""},
        {"string_3_invalid_codepoints.json", ""},
        {"string_with_escaped_NULL.json", "[\"A\\u0000B\"]"},
    };
    for (const auto& [name, text] : expected) {
        INFO(name);
        const auto parsed = parse_json(text_of(kCorpus / "test_transform" / name));
        CHECK((parsed ? to_text(*parsed) : "") == text);
    }
}
