#include "source/json_schema.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

// Keywords we do not have: `$id` and references to other documents.
bool uses_other_documents(const Json& node) {
    if (node.is_array())
        return std::ranges::any_of(node, [](const Json& one) { return uses_other_documents(one); });
    if (!node.is_object()) return false;
    for (const auto& [key, value] : node.items()) {
        if (key == "$id") return true;
        if (key == "$ref" && value.is_string() &&
            !value.get_ref<const std::string&>().starts_with("#"))
            return true;
        if (uses_other_documents(value)) return true;
    }
    return false;
}

std::string first(const std::vector<SchemaProblem>& problems) {
    if (problems.empty()) return "";
    return problems[0].property + ": " + problems[0].message;
}

std::string problem(const char* schema, const char* value) {
    return first(validate_json(Json::parse(schema), Json::parse(value), Formats::check));
}

std::string schema_problem(const char* schema) {
    return first(check_json_schema(Json::parse(schema)));
}

}  // namespace

TEST_CASE("the draft 7 suite is answered as it says", "[source]") {
    const fs::path root =
        fs::path{BERTH_SOURCE_DIR} / "../shared/testdata/json-schema/tests/draft7";
    if (!fs::exists(root)) {
        std::cout << "skipped: the JSON Schema test suite is not here\n";
        return;
    }
    int right = 0, left_out = 0;
    for (const auto& entry : fs::directory_iterator{root}) {
        if (entry.path().extension() != ".json") continue;
        for (const Json& group : Json::parse(read_file(entry.path(), 1 << 20).value())) {
            if (uses_other_documents(group["schema"])) {
                left_out += static_cast<int>(group["tests"].size());
                continue;
            }
            INFO(entry.path().filename() << ": " << group["description"]);
            CHECK(first(check_json_schema(group["schema"])) == "");
            for (const Json& test : group["tests"]) {
                INFO(test["description"] << " " << test["data"].dump());
                const bool valid = validate_json(group["schema"], test["data"]).empty();
                CHECK(valid == test["valid"]);
                if (valid == test["valid"]) ++right;
            }
        }
    }
    std::cout << right << " right, " << left_out << " need other documents\n";
    CHECK(right == 856);
    CHECK(left_out == 71);
}

TEST_CASE("a refusal names the property and what was expected, not the value", "[source]") {
    const char* schema = R"({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
        "size": {"type": "integer", "minimum": 1, "maximum": 100},
        "kind": {"type": "string", "enum": ["full", "delta"]},
        "city": {"type": "string", "oneOf": [{"const": "b", "title": "Berlin"},
                                             {"const": "l", "title": "London"}]},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "time"},
        "when": {"type": "string", "format": "date-time"},
        "pairs": {"type": "array", "maxItems": 2, "items": {"type": "object",
                  "properties": {"in": {"type": "string"}}}}}})";
    const std::vector<std::pair<const char*, const char*>> cases{
        {R"({"name": "ab"})", ""},
        {R"([])", ": must be an object, not a list"},
        {R"({})", "name: is required"},
        {R"({"name": 7})", "name: must be text, not a whole number"},
        {R"({"name": "é"})", "name: must have at least 2 characters"},
        {R"({"name": "A1"})", "name: must match the pattern '^[a-z]+$'"},
        {R"({"name": "ab", "size": "5"})", "size: must be a whole number, not text"},
        {R"({"name": "ab", "size": 1.5})", "size: must be a whole number, not a number"},
        {R"({"name": "ab", "size": 0})", "size: must be at least 1"},
        {R"({"name": "ab", "size": 101})", "size: must be at most 100"},
        {R"({"name": "ab", "size": 5.0})", ""},
        {R"({"name": "ab", "kind": "all"})", "kind: must be one of 'full', 'delta'"},
        {R"({"name": "ab", "city": "p"})", "city: must be one of 'b', 'l'"},
        {R"({"name": "ab", "day": "2026-02-29"})", "day: must be a date such as 2026-11-22"},
        {R"({"name": "ab", "day": "2024-02-29"})", ""},
        {R"({"name": "ab", "at": "24:00"})", "at: must be a time such as 20:04:21"},
        {R"({"name": "ab", "at": "20:04"})", ""},
        {R"({"name": "ab", "when": "2026-11-22T20:04:21.5+01:00"})", ""},
        {R"({"name": "ab", "when": "2026-11-22"})",
         "when: must be a date and time such as 2026-11-22T20:04:21Z"},
        {R"({"name": "ab", "pairs": [{}, {"in": 5}]})",
         "pairs[1].in: must be text, not a whole number"},
        {R"({"name": "ab", "pairs": [{}, {}, {}]})", "pairs: must have at most 2 entries"},
    };
    for (const auto& [value, expected] : cases) {
        INFO(value);
        CHECK(problem(schema, value) == expected);
    }
}

TEST_CASE("a schema that cannot be used is refused", "[source]") {
    CHECK(schema_problem(R"({"properties": {"a": {"type": "text"}}})") ==
          "/properties/a/type: 'type' must be boolean, integer, number, string, array, object or "
          "null, not 'text'");
    CHECK(schema_problem(R"({"properties": {"a": {"$ref": "#/definitions/b"}}})") ==
          "/properties/a/$ref: '$ref: #/definitions/b' refers to nothing; add it under "
          "'definitions'");
    CHECK_THAT(schema_problem(R"({"$ref": "http://example.com/schema"})"),
               Catch::Contains("refers to nothing"));
    CHECK_THAT(schema_problem(R"({"properties": {"a": {"pattern": "(a)\\1"}}})"),
               Catch::StartsWith("/properties/a/pattern: pattern '(a)\\1' cannot be used: "));
    CHECK_THAT(schema_problem(R"x({"pattern": "(?=a)"})x"), Catch::Contains("look-around"));
    CHECK(schema_problem(R"({"properties": [1]})") ==
          "/properties: 'properties' must be a map, not a list");
    CHECK(schema_problem(R"({"properties": {"a": "text"}})") ==
          "/properties/a: must be a map, not text");
    CHECK(schema_problem(R"({"required": "a"})") ==
          "/required: 'required' must be a list of property names");
    CHECK(schema_problem(R"({"minimum": "1"})") ==
          "/minimum: 'minimum' must be a number, not text");
    CHECK(schema_problem(R"({"enum": "a"})") == "/enum: 'enum' must be a list");
}

TEST_CASE("no schema and no value costs more than a bounded amount of work", "[source]") {
    const auto before = std::chrono::steady_clock::now();
    const std::string many(50'000, 'a');
    for (const char* pattern : {"(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "([a-z]+)*=",
                                "^(([a-z])+.)+[A-Z]([a-z])+$", "(a*)*b", "^(a?){50}a{50}$"})
        CHECK(first(validate_json({{"pattern", pattern}}, many + "!")) != "x");

    CHECK_THAT(problem(R"({"$ref": "#"})", "1"), Catch::Contains("too deeply nested"));
    // Each level tries the one below it twice: 2^40 without a limit.
    Json twice = {{"definitions", {{"d40", {{"type", "string"}}}}}, {"$ref", "#/definitions/d0"}};
    for (int i = 0; i < 40; ++i) {
        const Json below = {{"$ref", fmt::format("#/definitions/d{}", i + 1)}};
        twice["definitions"][fmt::format("d{}", i)] = {{"anyOf", {below, below}}};
    }
    CHECK(first(check_json_schema(twice)) == "");
    CHECK_THAT(first(validate_json(twice, 1)), Catch::Contains("too large or too deeply nested"));
    // libstdc++'s std::regex, which other validators use here, overflows the stack.
    CHECK(problem(R"({"format": "date"})", ('"' + std::string(1 << 20, '1') + '"').c_str()) ==
          ": must be a date such as 2026-11-22");
    CHECK(validate_json({{"items", {{"type", "string"}}}}, Json::array({1, 2, 3})).size() == 3);
    CHECK(validate_json({{"items", {{"type", "string"}}}}, Json(std::vector<int>(5000))).size() ==
          32);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
    std::cout << "hostile schemas together: " << took.count() << " s\n";
    CHECK(took < std::chrono::seconds{240});
}
