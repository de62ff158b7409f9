// Every row of pandium-contract.md section 3 in the environment of a real script,
// compared with golden files; BERTH_UPDATE_GOLDEN=1 writes them anew.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <regex>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

// What differs from run to run, by its shape: the shapes stay under test.
std::string normalised(std::string text) {
    const std::pair<const char*, const char*> shapes[]{
        {"[0-9a-f]{32}", "<trigger>"},
        {R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)", "<time>"},
        {R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC)", "<Go time>"},
    };
    for (const auto& [shape, name] : shapes)
        text = std::regex_replace(text, std::regex{shape}, name);
    return text;
}

void compare_with_golden(const std::string& name, const std::string& text) {
    const auto path = std::filesystem::path{BERTH_SOURCE_DIR} / "tests/e2e/golden" / name;
    if (std::getenv("BERTH_UPDATE_GOLDEN") != nullptr) {
        std::filesystem::create_directories(path.parent_path());
        berth::write_file_atomically(path, text, 0644);
        std::cout << "wrote " << path << ", skipped\n";
        return;
    }
    CHECK(text == berth::read_file(path, 1 << 20).value());
}

constexpr const char* kManifest = R"(version: 1.0
base: python
run: python3 main.py
configs:
  schema:
    type: object
    properties:
      Ticked: {type: boolean}
      unticked: {type: boolean}
      page_size: {type: integer, default: 50}
      rate: {type: number}
      note: {type: string}
      since: {type: string, format: date}
      unset: {type: string}
      fields: {type: array, items: {type: string}}
metadata_schema:
  schema:
    type: object
    properties:
      stores: {type: array}
)";

// Python, because dash does not pass on names that a shell could not have.
constexpr const char* kScript = R"py(import os, sys
for name in sorted(os.environ):
    if name.startswith("PAN_"):
        print(name + "=" + os.environ[name].replace("\n", "\\n"), file=sys.stderr)
for name in sorted(os.listdir("/work/.berth")):
    print("file " + name + ": " + open("/work/.berth/" + name).read(), file=sys.stderr)
if "please-fail" in os.environ["PAN_CTX_RUN_TRIGGERS"]:
    sys.exit(3)
print('{"stores": [1, 2], "mode": "%s"}' % os.environ["PAN_CTX_RUN_MODE"])
)py";

}  // namespace

TEST_CASE("a script finds exactly what the contract promises", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"env_name = staging\n"};
    for (const char* connector : {"shop-basic", "crm", "mail"})
        daemon.must("POST", "/v2/connectors", {{"name", connector}});
    const auto made = daemon.install(
        "contract", {{"PANDIUM.yaml", kManifest}, {"main.py", kScript}},
        {{"connectors",
          {{{"name", "shop-basic"}}, {{"name", "mail"}}, {{"name", "crm"}, {"isGlobal", true}}}}},
        {{"Ticked", true},
         {"rate", 0.5},
         {"note", "two\nlines"},
         {"since", "2026-11-22"},
         {"fields", {"a", "b"}}});
    daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/shop-basic/connection", made.tenant),
                {{"secrets", {{"api_key", "tenant-secret-1"}}}});
    daemon.must("PUT",
                fmt::format("/v2/integrations/{}/connectors/crm/connection", made.integration),
                {{"secrets", {{"token", "global-secret-1"}}}});
    const auto log = [&](const json& run) {
        return normalised(daemon.run_log(run["id"], "stderr"));
    };

    const json first = daemon.run(made.tenant, "init");
    CHECK(first["state"] == "succeeded");
    compare_with_golden("first_run.txt", log(first));

    const json failed = daemon.run(made.tenant, "normal", {{"note", "please-fail"}});
    CHECK(failed["state"] == "failed_integration");
    const json later = daemon.run(made.tenant, "normal", {{"order", 42}});
    CHECK(later["state"] == "succeeded");
    compare_with_golden("later_run.txt", log(later));
}

// A connector that is attached and not connected: the contract lets the run start
// (`status.auth.connected` is false, nothing more), without its variables.
TEST_CASE("without a connection a run starts, and its secrets are just not there", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
    const auto made = daemon.install(
        "unconnected",
        {{"PANDIUM.yaml",
          manifest("env | grep -c ^PAN_SEC_; echo \"[${PAN_SEC_SHOP_API_KEY-none}]\"")}},
        {{"connectors", {{{"name", "shop"}}}}});
    const json status = daemon.must("GET", fmt::format("/v2/tenants/{}", made.tenant))["status"];
    CHECK(status["auth"]["connected"] == false);
    const json run = daemon.run(made.tenant);
    CHECK(run["state"] == "succeeded");
    CHECK(daemon.run_log(run["id"], "stdout") == "0\n[none]\n");
}
