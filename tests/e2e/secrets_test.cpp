// Secrets: delivered to the script, and nowhere else.
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "base/crypto.h"
#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

constexpr const char* kSecret = "s3cr3t-canary-77ab";
constexpr const char* kGlobal = "gl0bal-canary-19cd";

// What a program prints; tests of binaries use nm(1).
std::string output_of(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "re");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> buffer{};
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        out.append(buffer.data(), n);
    ::pclose(pipe);
    return out;
}

// Every file below `dir` that holds the bytes.
std::vector<std::string> files_with(const std::filesystem::path& dir, const std::string& bytes) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{dir}) {
        if (!entry.is_regular_file()) continue;
        std::ifstream file{entry.path(), std::ios::binary};
        const std::string all{std::istreambuf_iterator<char>{file}, {}};
        if (all.find(bytes) != std::string::npos) found.push_back(entry.path().string());
    }
    return found;
}

}  // namespace

TEST_CASE("a tenant's and a global secret reach the script under both spellings", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    daemon.must("POST", "/v2/connectors", {{"name", "shop-basic"}});
    daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
    const auto made = daemon.install(
        "secrets",
        {{"PANDIUM.yaml",
          // Only sums leave the script: the secrets themselves stand in no file of the test.
          manifest(
              "for n in PAN_SEC_SHOP-BASIC_API_KEY PAN_SEC_SHOP_BASIC_API_KEY "
              "PAN_SEC_CRM_TOKEN; do printenv $n | tr -d '\\n' | sha256sum | cut -c1-64; done; "
              "env | grep ^PAN_SEC | sort; env | grep ^PAN_SEC | base64 -w0 >&2")}},
        {{"connectors",
          {{{"name", "shop-basic"}, {"isGlobal", false}}, {{"name", "crm"}, {"isGlobal", true}}}}});
    const auto tenant = "/v2/tenants/" + std::to_string(made.tenant);
    const json connection = daemon.must("PUT", tenant + "/connectors/shop-basic/connection",
                                        {{"secrets", {{"api_key", kSecret}}}});
    CHECK(connection["status"] == "connected");
    CHECK(connection["secrets"] == json{"api_key"});
    daemon.must(
        "PUT",
        "/v2/integrations/" + std::to_string(made.integration) + "/connectors/crm/connection",
        {{"secrets", {{"token", kGlobal}}}});
    CHECK(daemon.must("GET", tenant)["status"]["auth"]["connected"] == true);

    const json run = daemon.run(made.tenant);
    CHECK(run["state"] == "succeeded");
    const auto out = daemon.run_log(run["id"], "stdout");
    INFO(out);
    const auto sum = [](const char* secret) { return berth::to_hex(berth::sha256(secret)) + "\n"; };
    CHECK(out.starts_with(sum(kSecret) + sum(kSecret) + sum(kGlobal)));

    SECTION("what it prints of them is masked, and no answer or file has them") {
        CHECK(out.find("PAN_SEC_CRM_TOKEN=***") != std::string::npos);
        std::string all = out + run.dump() + daemon.run_log(run["id"]) + daemon.log();
        for (const auto& path :
             {tenant, tenant + "/connectors", std::string{"/v2/connectors"},
              std::string{"/v2/runs"}, std::string{"/v2/integrations"}, std::string{"/v2/doctor"}})
            all += daemon.must("GET", path).dump();
        for (const char* secret : {kSecret, kGlobal}) {
            CHECK(all.find(secret) == std::string::npos);
            CHECK(all.find(berth::to_hex(secret)) == std::string::npos);
            CHECK(files_with(daemon.root(), secret).empty());
        }
    }
    SECTION("a second write replaces it, a disconnect deletes it, and both are seen by the run") {
        daemon.must("PUT", tenant + "/connectors/shop-basic/connection",
                    {{"secrets", {{"api_key", "another-value-123"}}}});
        CHECK(daemon.run_log(daemon.run(made.tenant)["id"], "stdout")
                  .starts_with(sum("another-value-123") + sum("another-value-123")));
        daemon.must("PATCH", tenant + "/connectors/shop-basic/disconnect");
        CHECK(daemon.must("GET", tenant)["status"]["auth"]["connected"] == false);
        const auto log = daemon.run_log(daemon.run(made.tenant)["id"], "stdout");
        CHECK(log.find("SHOP") == std::string::npos);
    }
    SECTION("they can be opened after everything was started again") {
        daemon.stop(SIGTERM);
        daemon.start();
        CHECK(daemon.run_log(daemon.run(made.tenant)["id"], "stdout")
                  .starts_with(sum(kSecret) + sum(kSecret) + sum(kGlobal)));
    }
}

TEST_CASE("refused secrets are named by field and never repeated", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
    const auto made = daemon.install("refuse", {{"PANDIUM.yaml", manifest("true")}},
                                     {{"connectors", {{{"name", "shop"}}}}});
    const auto path = "/v2/tenants/" + std::to_string(made.tenant) + "/connectors/shop/connection";
    for (const json& body : {json{{"secrets", {{"key", {kSecret}}}}},
                             json{{"secrets", {{std::string{"k="}, kSecret}}}},
                             json{{"secrets", {{"key", std::string{kSecret} + '\0'}}}},
                             json{{"secret", {{"key", kSecret}}}}, json{{"secrets", kSecret}}}) {
        const auto answer = daemon.request("PUT", path, body);
        CHECK(answer.status == 422);
        CHECK(answer.body.find(kSecret) == std::string::npos);
        CHECK(json::parse(answer.body)["detail"][0]["loc"][0] == "body");
    }
    CHECK(daemon
              .request("PUT", "/v2/tenants/999999/connectors/shop/connection",
                       {{"secrets", {{"k", kSecret}}}})
              .status == 404);
    CHECK(daemon.log().find(kSecret) == std::string::npos);
}

TEST_CASE("berthd and the client contain nothing that opens an envelope", "[e2e]") {
    for (const char* program : {"berthd", "berth", "berth-launcher"}) {
        const auto symbols =
            output_of(std::string{"nm -C "} + BERTH_BINARY_DIR "/bin/" + program + " 2>/dev/null");
        INFO(program);
        REQUIRE(symbols.size() > 1000);
        CHECK(symbols.find("berth::vault_open::") == std::string::npos);
        CHECK(symbols.find("EVP_DecryptInit") == std::string::npos);
    }
    const auto runner = output_of("nm -C " BERTH_BINARY_DIR "/bin/berth-runner");
    CHECK(runner.find("berth::vault_open::") != std::string::npos);
}

TEST_CASE("without a root key nothing runs, and it says what to do", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir root{"berth-e2e"};
    Daemon daemon{root.path(), ""};
    std::filesystem::remove(daemon.state_dir() / "keys" / "root.key");
    daemon.launch();
    REQUIRE(eventually([&] {
        berth::Client client{daemon.socket()};
        const auto answer = client.request("GET", "/v2/ready");
        return answer && answer->status == 503 &&
               answer->body.find("root key") != std::string::npos;
    }));
    const json doctor = daemon.must("GET", "/v2/doctor");
    bool told = false;
    for (const auto& check : doctor["checks"])
        if (check["name"] == "root key") {
            told = true;
            CHECK(check["ok"] == false);
            CHECK(check["cure"].get<std::string>().find("berth init") != std::string::npos);
        }
    CHECK(told);
}
