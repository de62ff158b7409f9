// The examples are what newcomers copy: their manifests must be accepted without a
// remark, their defaults must fit their own schemas.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "model/json.h"
#include "source/config_schema.h"
#include "source/manifest.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

const fs::path kExamples = fs::path{BERTH_SOURCE_DIR} / "examples";

Manifest manifest_of(const std::string& name) {
    const auto text = read_file(kExamples / name / "PANDIUM.yaml", 1 << 20);
    REQUIRE(text);
    auto manifest = read_manifest(*text);
    INFO(name << ": " << (manifest ? "" : manifest.error().message));
    REQUIRE(manifest);
    return std::move(*manifest);
}

}  // namespace

TEST_CASE("every example's manifest is accepted without a warning", "[examples]") {
    int seen = 0;
    for (const auto& folder : fs::directory_iterator{kExamples}) {
        if (!fs::exists(folder.path() / "PANDIUM.yaml")) continue;
        const auto name = folder.path().filename().string();
        const Manifest manifest = manifest_of(name);
        INFO(name);
        CHECK(manifest.warnings == std::vector<std::string>{});
        CHECK_FALSE(manifest.run.empty());
        CHECK(fs::exists(folder.path() / "README.md"));
        ++seen;
    }
    CHECK(seen == 4);
}

TEST_CASE("an example's settings say which property is wrong", "[examples]") {
    const auto schema = parse_json(manifest_of("shop-to-crm").config_schema);
    REQUIRE(schema);
    const auto problems = [&](const Json& configs) {
        return check_configs(*schema, configs, Json::object(), Json::object()).size();
    };
    const Json good{{"shop_url", "http://a"}, {"crm_url", "http://b"}, {"page_size", 20}};
    CHECK(problems(with_defaults(*schema, good)) == 0);
    CHECK(with_defaults(*schema, good)["sync_orders"] == true);
    CHECK(with_defaults(*schema, good)["since"] == "2026-01-01");

    Json bad = good;
    SECTION("one that is missing") { bad.erase("shop_url"); }
    SECTION("one that is too large") { bad["page_size"] = 201; }
    SECTION("one that is not among the choices") { bad["drill"] = "explode"; }
    SECTION("one that is no date") { bad["since"] = "yesterday"; }
    CHECK(problems(bad) == 1);
}
