#include "source/manifest.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "model/json.h"

using namespace berth;

namespace {

const std::string kHead = "version: 0.4\nbase: node:20\n";
const std::string kSmall = kHead + "run: node .\n";

Manifest read(std::string_view text) {
    auto manifest = read_manifest(text);
    INFO((manifest ? "" : manifest.error().message));
    REQUIRE(manifest);
    return *manifest;
}

std::string refusal(std::string_view text) {
    const auto manifest = read_manifest(text);
    if (manifest) return "read";
    CHECK_THAT(manifest.error().message, Catch::StartsWith(manifest.error().where + ": "));
    return manifest.error().message;
}

Json schema_of(const std::string& properties) {
    return Json::parse(
        read(kSmall + "configs:\n  schema:\n    properties:\n" + properties).config_schema);
}

}  // namespace

TEST_CASE("a manifest of the platform's scaffold is read whole", "[source]") {
    const Manifest m = read(R"(version: 0.4   # since 2021
base: ".NET:5.0"
build: VAR=x dotnet publish a.csproj -o publish && echo done
run: dotnet publish/a.dll
connectors:
- hubspot-basic
- aws
configs:
  schema:
    name: php_schema
    type: object
    required: [size]
    properties:
        size:
            type: integer
            min: -3
            max: 9
            default: 4
        full: {type: boolean, default: true}
        food:
            ref: 'definitions/foods'
            default: a
    definitions:
      foods:
        enum: [placeholder]
  uischema:
    elements:
      - type: Section
        label: All
        hintText: |
          two
          lines
        elements:
          - scope: '#/properties/size'
            type: Control
            admin: true
      - type: Divider
    type: VerticalLayout
metadata_schema:
  schema:
    type: object
    properties:
      stores: {type: array, default: []}
)");
    CHECK(m.version == "0.4");
    CHECK(m.base == BaseName{".net", "5.0", ".NET:5.0"});
    CHECK(m.build == "VAR=x dotnet publish a.csproj -o publish && echo done");
    CHECK(m.run == "dotnet publish/a.dll");
    CHECK(m.connectors == std::vector<std::string>{"hubspot-basic", "aws"});
    const Json schema = Json::parse(m.config_schema);
    CHECK(schema["properties"]["size"].dump() ==
          R"({"default":4,"maximum":9,"minimum":-3,"type":"integer"})");
    CHECK(schema["properties"]["food"].dump() == R"({"$ref":"#/definitions/foods","default":"a"})");
    CHECK(Json::parse(m.ui_schema)["type"] == "VerticalLayout");
    CHECK(Json::parse(m.metadata_schema)["properties"]["stores"]["type"] == "array");
    CHECK(m.warnings.empty());
}

TEST_CASE("every version that has shipped is kept as written", "[source]") {
    for (const char* version : {"0.2", "0.4", "0.5", "1.0", "1"}) {
        CHECK(read(fmt::format("version: {}\nbase: go\nrun: x\n", version)).version == version);
        CHECK(read(fmt::format("version: '{}'\nbase: go\nrun: x\n", version)).version == version);
    }
    CHECK(read("version: 2.0\nbase: go\nrun: x\n").warnings ==
          std::vector<std::string>{"PANDIUM.yaml:1:10: version 2.0 is newer than the newest known "
                                   "(1.0), reading it as that"});
}

TEST_CASE("every spelling of a base is understood", "[source]") {
    const auto base = [](const std::string& written) {
        const auto parsed = parse_base(written);
        return parsed ? parsed->name + " " + parsed->version : parsed.error().message;
    };
    CHECK(base("Node") == "node ");
    CHECK(base("node:16.14.2") == "node 16.14.2");
    CHECK(base("node:24") == "node 24");
    CHECK(base("Java:11") == "java 11");
    CHECK(base(".NET:5.0") == ".net 5.0");
    CHECK(base("golang:1.26") == "go 1.26");
    CHECK(base("closure") == "clojure ");
    CHECK(base("kotlin:2.4.10") == "kotlin 2.4.10");
    for (const char* wrong : {"", ":", "node:", "node:latest", "node:1.2.3.4", "node 20", "a/b:1",
                              "node:-1", "node: 20"})
        CHECK_THAT(base(wrong), Catch::Contains("is not a language and a version"));
    CHECK(read("version: 1.0\nbase: .NET:10.0\nrun: x\n").base.version == "10.0");
}

TEST_CASE("what is optional may be missing, empty or null", "[source]") {
    for (const char* rest : {"", "build:\n", "connectors:\n", "connectors: []\n", "configs:\n",
                             "configs: {}\n", "configs: {schema: {}}\n", "metadata_schema:\n"}) {
        const Manifest m = read(kSmall + rest);
        CHECK(m.build.empty());
        CHECK(m.connectors.empty());
        CHECK(m.metadata_schema.empty());
    }
}

TEST_CASE("the settings' dialect becomes JSON Schema", "[source]") {
    CHECK(schema_of("      a: {type: number, min: 1}\n")["properties"]["a"]["minimum"] == 1);
    CHECK(schema_of("      a: {type: number, min: 1}\n")["type"] == "object");
    const Json refs = schema_of(
        "      a: {ref: '#/definitions/x'}\n      b: {$ref: 'definitions/x'}\n"
        "      min: {type: string}\n      ref: {type: string}\n    definitions: {x: {enum: "
        "[1]}}\n");
    CHECK(refs["properties"]["a"]["$ref"] == "#/definitions/x");
    CHECK(refs["properties"]["b"]["$ref"] == "#/definitions/x");
    CHECK(refs["properties"]["min"]["type"] == "string");  // a property, not a limit
    CHECK(refs["properties"]["ref"]["type"] == "string");
}

TEST_CASE("options may come from metadata", "[source]") {
    const std::string configs =
        "configs: {schema: {properties: {store: {$ref: '#/metadata/stores'}}}}\n";
    CHECK(read(kSmall + configs +
               "metadata_schema: {schema: {properties: {stores: {type: array}}}}\n")
              .warnings.empty());
    CHECK(read(kSmall + configs).warnings ==
          std::vector<std::string>{
              "PANDIUM.yaml:4:33: property 'store' takes its options from metadata 'stores', which "
              "metadata_schema does not have"});
}

TEST_CASE("what is not known is told and ignored", "[source]") {
    CHECK(read(kSmall + "colour: red\nconfigs:\n  shema: {}\n  uischema:\n    type: Control\n"
                        "    scope: '#/properties/x'\nconnectors: [a, a]\n")
              .warnings ==
          std::vector<std::string>{
              "PANDIUM.yaml:4:9: key 'colour' is not known, ignoring",
              "PANDIUM.yaml:10:17: connector 'a' is named twice, ignoring",
              "PANDIUM.yaml:6:3: key 'shema' is not known in 'configs', ignoring",
              "PANDIUM.yaml:9:12: scope '#/properties/x' names no property of the schema"});
}

TEST_CASE("each mistake is told with its place and its cure", "[source]") {
    CHECK(refusal("version: 0.4\nbase:\n  php: 7.4\nrun: x\n") ==
          "PANDIUM.yaml:2:1: 'base' has a space after the colon, which makes it a map; write "
          "'base: php:7.4'");
    CHECK(refusal("version: 0.4\nbase: php: 7.4\nrun: x\n") ==
          "PANDIUM.yaml:2:10: illegal map value");
    CHECK(refusal("- a\n") ==
          "PANDIUM.yaml:1:1: the file must be a map with the keys 'version', 'base', 'build', "
          "'run' and 'configs'");
    CHECK(refusal("base: node\nrun: x\n") ==
          "PANDIUM.yaml:1:1: 'version' is missing; write 'version: 0.4'");
    CHECK(refusal("version: new\nbase: node\nrun: x\n") ==
          "PANDIUM.yaml:1:10: 'version' must be a number such as 0.4 or 1.0");
    CHECK(refusal("version: 0.4\nbase: 20\nrun: x\n") ==
          "PANDIUM.yaml:2:7: 'base' must be text such as 'node:20', not a whole number");
    CHECK(refusal(kHead + "run: [a]\n") ==
          "PANDIUM.yaml:3:1: 'run' must be a command line such as 'npm install', not a list");
    CHECK(refusal(kHead + "run: ' '\n") ==
          "PANDIUM.yaml:3:6: 'run' must be a command line such as 'npm install', not empty text");
    CHECK(refusal(kSmall + "connectors: aws\n") ==
          "PANDIUM.yaml:4:13: 'connectors' must be a list of names, one on each line after '- '");
    CHECK(refusal(kSmall + "connectors:\n  - 'a b'\n") ==
          "PANDIUM.yaml:5:5: a connector's name must be text of letters, digits and '-', at most "
          "63 of them");
    CHECK(refusal(kSmall + "metadata_schema: {uischema: {}}\n") ==
          "PANDIUM.yaml:4:1: 'metadata_schema' needs 'schema' below it");
    CHECK(refusal(kSmall + "configs: {schema: true}\n") ==
          "PANDIUM.yaml:4:19: the schema's 'type' must be object");
    const std::string properties = kSmall + "configs:\n  schema:\n    properties:\n";
    CHECK_THAT(refusal(properties + "      a: {type: text}\n"),
               Catch::StartsWith("PANDIUM.yaml:7:17: 'type' must be boolean, integer"));
    CHECK_THAT(refusal(properties + "      a: {$ref: '#/definitions/b'}\n"),
               Catch::StartsWith("PANDIUM.yaml:7:17: '$ref: #/definitions/b' refers to nothing"));
    CHECK_THAT(refusal(properties + "      a: {type: string, pattern: '(?=x)'}\n"),
               Catch::StartsWith("PANDIUM.yaml:7:34: pattern '(?=x)' cannot be used: "));
    CHECK(refusal(properties + "      Day: {}\n      day: {}\n") ==
          "PANDIUM.yaml:8:7: properties 'Day' and 'day' would both become PAN_CFG_DAY; rename one");
    CHECK(refusal(properties + "      a=b: {}\n") ==
          "PANDIUM.yaml:7:7: property 'a=b' cannot name a variable; use letters, digits and '_'");
}

TEST_CASE("several mistakes are told at once", "[source]") {
    CHECK(refusal("version: x\nbase: a b\nconnectors: 5\n") ==
          "PANDIUM.yaml:1:10: 'version' must be a number such as 0.4 or 1.0\n"
          "PANDIUM.yaml:2:7: 'base: a b' is not a language and a version; write for example "
          "'node:20.9.0', 'python:3.11' or 'php:8'\n"
          "PANDIUM.yaml:1:1: 'run' is missing; write the command that starts the script, such as "
          "'run: node .'\n"
          "PANDIUM.yaml:3:13: 'connectors' must be a list of names, one on each line after '- '");
}

TEST_CASE("no text breaks the reader, and every refusal says where", "[source]") {
    const char* given = std::getenv("BERTH_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                           : std::random_device{}();
    std::cout << "BERTH_SEED=" << seed << "\n";
    INFO("BERTH_SEED=" << seed);
    std::mt19937 random{seed};
    const auto below = [&random](std::size_t n) {
        return std::uniform_int_distribution<std::size_t>{0, n - 1}(random);
    };
    const std::string whole =
        kSmall +
        "connectors: [aws, b]\nconfigs:\n  schema:\n    type: object\n    required: [a]\n"
        "    properties:\n      a: {$ref: '#/definitions/d', default: 1}\n"
        "      b: {$ref: '#/metadata/m'}\n      c: {type: array, items: {ref: definitions/d}}\n"
        "    definitions:\n      d: {oneOf: [{const: 1, title: x}]}\n"
        "  uischema:\n    type: V\n    elements: [{scope: '#/properties/a'}]\n"
        "metadata_schema: {schema: {properties: {m: {type: array, default: [1]}}}}\n";
    const std::vector<std::string> pieces{
        "5",    "true",  "null", "[]",  "{}",         "[",           "}",        ": ",
        "- ",   "\n",    "\t",   "  ",  "'",          "\"",          "&x ",      "*x",
        "|",    "!!a",   "#",    "~",   "=",          "\0",          "\xc3\x28", "type",
        "enum", "oneOf", "$ref", "'#'", "properties", "definitions", "required", "default"};
    int read_count = 0;
    for (int round = 0; round < 2000; ++round) {
        std::string text = whole;
        for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
            const std::size_t at = below(text.size());
            const std::size_t end =
                below(3) == 0 ? at : std::min(text.find_first_of(" \n,}", at), text.size());
            text.replace(at, end - at, pieces[below(pieces.size())]);
        }
        const auto manifest = read_manifest(text);
        if (manifest) {
            ++read_count;
        } else if (!manifest.error().message.starts_with(manifest.error().where + ": ") ||
                   !manifest.error().where.starts_with("PANDIUM.yaml:")) {
            FAIL_CHECK("no place in: " << manifest.error().message);
        }
    }
    CHECK(read_count > 20);
    CHECK(read_count < 1980);
}
