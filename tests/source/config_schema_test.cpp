#include "source/config_schema.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace berth;

namespace {

const Json kSchema = normalise_schema(Json::parse(R"({
    "type": "object", "required": ["name", "size"],
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer", "min": 1, "default": 10},
        "full": {"type": "boolean"},
        "food": {"type": "string", "$ref": "definitions/foods"},
        "drinks": {"type": "array", "items": {"$ref": "#/definitions/drinks"}},
        "store": {"$ref": "#/metadata/stores"},
        "day": {"type": "string", "format": "date"}},
    "definitions": {"foods": {"type": "number", "enum": ["placeholder"]},
                    "drinks": {"oneOf": [{"const": "placeholder", "title": "Run init first"}]}}})"));

std::string problems(const char* configs, const char* dynamic = "{}", const char* metadata = "{}") {
    return join_problems(
        check_configs(kSchema, Json::parse(configs), Json::parse(dynamic), Json::parse(metadata)));
}

}  // namespace

TEST_CASE("settings are checked and each refusal names its property", "[source]") {
    CHECK(problems(R"({"name": "a"})") == "");  // size has a default
    CHECK(problems(R"({})") == "'name' is required");
    CHECK(problems(R"({"name": ""})") == "'name' is required");
    CHECK(problems(R"({"name": null, "size": 0, "full": "yes"})") ==
          "'name' is required; 'full' must be true or false, not text; 'size' must be at least 1");
    CHECK(problems(R"({"name": "a", "day": ""})") == "");
    CHECK(problems(R"({"name": "a", "day": "tomorrow"})") ==
          "'day' must be a date such as 2026-11-22");
    CHECK(problems(R"({"name": "a", "another": 1})") == "");
    CHECK(problems(R"({"name": "a\u0000b"})") ==
          "'name' must not contain a NUL character; 'name' is required");
    CHECK(problems(R"({"name": "a", "x=y": 1})") ==
          "'x=y' cannot be the name of a setting: it is empty, or has '=' in it");
    CHECK(problems("[]") == "must be an object with one field for each setting");
}

TEST_CASE("before the first init run any choice is accepted, after it only the options",
          "[source]") {
    CHECK(problems(R"({"name": "a", "food": "soup", "drinks": ["tea"], "store": 5})") == "");
    const char* init = R"({"foods": ["soup", "rice"], "drinks": [{"const": "t", "title": "Tea"}]})";
    CHECK(problems(R"({"name": "a", "food": "soup", "drinks": ["t"]})", init) == "");
    CHECK(problems(R"({"name": "a", "food": "cake", "drinks": ["tea"]})", init) ==
          "'drinks[0]' must be 't'; 'food' must be one of 'soup', 'rice'");
    CHECK(problems(R"({"name": "a", "store": 5})", init, R"({"stores": [5, 6]})") == "");
    CHECK(problems(R"({"name": "a", "store": 7})", init, R"({"stores": [5, 6]})") ==
          "'store' must be one of 5, 6");
    CHECK(problems(R"({"name": "a", "food": "x"})", R"({"foods": []})") ==
          "'food' has no options to choose from yet");
    // An init run that has run and left `foods` out: its list is a fixed one.
    CHECK(problems(R"({"name": "a", "food": "x"})", R"({"drinks": []})") ==
          "'food' must be 'placeholder'");
}

TEST_CASE("a form gets the options that a tenant has", "[source]") {
    const Json dynamic = Json::parse(R"({"foods": ["soup"]})");
    const Json metadata_schema =
        Json::parse(R"({"properties": {"stores": {"default": [{"const": 1, "title": "One"}]}}})");
    const Json form =
        resolve_options(kSchema, dynamic, Json::object(), metadata_schema)["properties"];
    CHECK(form["food"].dump() == R"({"enum":["soup"]})");
    CHECK(form["drinks"]["items"]["oneOf"][0]["title"] == "Run init first");
    CHECK(form["store"].dump() == R"({"oneOf":[{"const":1,"title":"One"}]})");
}

TEST_CASE("a run sees defaults, and false for a box that was never ticked", "[source]") {
    CHECK(
        with_defaults(kSchema, Json::parse(R"({"name": "a", "day": null, "extra": [1]})")).dump() ==
        R"({"extra":[1],"full":false,"name":"a","size":10})");
    CHECK(with_defaults(kSchema, Json::parse(R"({"full": true, "size": 3})")).dump() ==
          R"({"full":true,"size":3})");
    CHECK(with_defaults(Json{}, Json::object()) == Json::object());
}

TEST_CASE("metadata is checked whole, with room for fields of its own", "[source]") {
    const Json schema = normalise_schema(
        Json::parse(R"({"required": ["n"], "properties": {"n": {"type": "integer", "max": 5}}})"));
    const auto check = [&](const char* value) {
        return join_problems(check_metadata(schema, Json::parse(value)));
    };
    CHECK(check(R"({"n": 5, "more": "x"})") == "");
    CHECK(check("{}") == "");
    CHECK(check(R"({"n": 6})") == "'n' must be at most 5");
    CHECK(check(R"({"m": 6})") == "'n' is required");
    CHECK(check("[1]") == "must be an object, not a list");
    CHECK(check("\"x\"") == "must be an object, not text");
}
