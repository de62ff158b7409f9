// The tables of pandium-contract.md section 3 and 5.3, row by row. The golden files
// hold a run's whole environment; BERTH_UPDATE_GOLDEN=1 writes them anew.
#include "daemon/run_env.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "model/env_name.h"
#include "model/json.h"
#include "model/limits.h"

using namespace berth;

namespace {

Time at(const char* text) { return parse_rfc3339(text).value(); }

RunEnvInput small_input() {
    RunEnvInput in;
    in.integration.id = IntegrationId{4};
    in.integration.name = "shop-sync";
    in.tenant.id = TenantId{17};
    in.tenant.name = "acme";
    in.run.id = RunId{1001};
    return in;
}

Run finished(RunState state, std::string std_out) {
    Run run;
    run.state = state;
    run.std_out = std::move(std_out);
    run.started = at("2021-07-24T20:04:21.987654Z");
    run.completed = at("2021-07-24T20:05:00Z");
    return run;
}

Trigger trigger(char digit, TriggerSource source, RunMode mode = RunMode::normal) {
    Trigger made;
    made.id = TriggerId{std::string(32, digit)};
    made.source = source;
    made.mode = mode;
    made.created = at("2026-11-22T03:04:05.678901Z");
    return made;
}

std::string render(const RunEnv& env) {
    std::string text;
    for (const std::string& entry : env.entries)
        text += entry + "\n";
    for (const auto& names : env.secret_names)
        text += fmt::format("secret: {}\n", fmt::join(names, " "));
    for (const EnvFile& file : env.files)
        text += fmt::format("file {}: {}\n", file.name, printable(file.content));
    return text;
}

void compare_with_golden(const std::string& name, const RunEnvInput& input) {
    const auto env = make_run_env(input);
    INFO((env ? "" : env.error().message));
    REQUIRE(env);
    const auto path = std::filesystem::path{BERTH_SOURCE_DIR} / "tests/daemon/golden" / name;
    if (std::getenv("BERTH_UPDATE_GOLDEN") != nullptr) {
        write_file_atomically(path, render(*env), 0644);
        std::cout << "wrote " << path << ", skipped\n";
        return;
    }
    CHECK(render(*env) == read_file(path, 1 << 20).value());
}

std::string value_of(const RunEnvInput& input, const std::string& name) {
    const auto env = make_run_env(input);
    if (!env) return env.error().message;
    for (const std::string& entry : env->entries)
        if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    return "(absent)";
}

std::string setting(const char* json) {
    RunEnvInput in = small_input();
    in.configs = fmt::format(R"({{"x": {}}})", json);
    return value_of(in, "PAN_CFG_X");
}

std::string refusal(const RunEnvInput& input, FailureKind kind = FailureKind::unprocessable) {
    const auto env = make_run_env(input);
    if (env) return "made";
    CHECK(env.error().kind == kind);
    return env.error().message;
}

}  // namespace

TEST_CASE("a first run has its context and nothing of runs before it", "[daemon]") {
    RunEnvInput in = small_input();
    in.run.mode = RunMode::init;
    in.environment = "dev";
    compare_with_golden("first_run.txt", in);
}

TEST_CASE("a later run has every variable of the contract", "[daemon]") {
    RunEnvInput in = small_input();
    in.run.attempt = 2;
    in.last_run = finished(RunState::failed_integration, R"({"cursor":2})");
    in.last_successful_run = finished(RunState::succeeded, R"({"cursor":1})");
    in.metadata = R"({"stores":[1]})";
    in.secrets = {{"hubspot-oauth", "access_token"}, {"aws", "access_key_id"}, {"x", "site-id"}};
    in.configs = R"({"page_size": 50, "Full": false, "since": "2026-11-22", "map": [{"in": "a"}]})";
    Trigger api = trigger('a', TriggerSource::api);
    api.payload = R"({"order": 7, "note": "two\nlines"})";
    api.body = R"({"order": 7, "note": "two\nlines"})";
    Trigger webhook = trigger('b', TriggerSource::webhook, RunMode::webhook);
    webhook.body = "<raw/>";
    webhook.headers = R"({"Content-Type": "text/xml"})";
    in.triggers = {api, webhook, trigger('c', TriggerSource::cron),
                   trigger('d', TriggerSource::manual)};
    compare_with_golden("later_run.txt", in);
}

TEST_CASE("each kind of setting has its text", "[daemon]") {
    CHECK(setting("true") == "true");
    CHECK(setting("false") == "false");
    CHECK(setting("5") == "5");
    CHECK(setting("-9007199254740993") == "-9007199254740993");
    CHECK(setting("5.0") == "5");
    CHECK(setting("0.1") == "0.1");
    CHECK(setting("1e21") == "1000000000000000000000");
    CHECK(setting("1e-7") == "0.0000001");
    CHECK(setting("\"\"") == "");
    CHECK(setting("\"two\\nlines\"") == "two\nlines");
    CHECK(setting("\"back\\\\nslash\"") == "back\\nslash");
    CHECK(setting("[1, {\"in\": \"é\"}]") == "[1,{\"in\":\"é\"}]");
    CHECK(setting("{}") == "{}");
    CHECK(setting("null") == "(absent)");
}

TEST_CASE("both spellings of a hyphenated connector are there", "[daemon]") {
    CHECK(
        secret_env_names("hubspot-basic", "api_key") ==
        std::vector<std::string>{"PAN_SEC_HUBSPOT-BASIC_API_KEY", "PAN_SEC_HUBSPOT_BASIC_API_KEY"});
    CHECK(secret_env_names("slack", "access_token") ==
          std::vector<std::string>{"PAN_SEC_SLACK_ACCESS_TOKEN"});
}

TEST_CASE("what is no secret stands in the environment itself", "[daemon]") {
    RunEnvInput in = small_input();
    in.open_fields = {{{"shop-one", "account"}, "acme"}};
    CHECK(value_of(in, "PAN_SEC_SHOP_ONE_ACCOUNT") == "acme");
    CHECK(value_of(in, "PAN_SEC_SHOP-ONE_ACCOUNT") == "acme");
    in.secrets = {{"shop-one", "account"}};
    const auto env = make_run_env(in);
    REQUIRE_FALSE(env);
    CHECK(env.error().message.find("would both become PAN_SEC_SHOP") != std::string::npos);
}

TEST_CASE("a state has all its spellings, and none when nothing was printed", "[daemon]") {
    RunEnvInput in = small_input();
    in.last_run = finished(RunState::failed_timeout, "");
    in.last_successful_run = finished(RunState::succeeded, std::string{"a\0b", 3});
    CHECK(value_of(in, "PAN_CTX_LAST_RUN_STD_OUT") == "(absent)");
    CHECK(value_of(in, "PAN_CTX_LAST_RUN_STDOUT") == "(absent)");
    CHECK(value_of(in, "PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT") == "a\uFFFDb");
    CHECK(value_of(in, "PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT") == "a\uFFFDb");
    CHECK(value_of(in, "PAN_CTX_LAST_RUN_PHASE") == "Failed (Timeout)");
    CHECK(value_of(in, "PAN_CTX_LAST_RUN_START_TIME") == "2021-07-24 20:04:21 +0000 UTC");
}

TEST_CASE("the metadata file is there when metadata is on", "[daemon]") {
    RunEnvInput in = small_input();
    CHECK(value_of(in, "PAN_CTX_TENANT_METADATA_FILE") == "(absent)");
    in.metadata = "{}";
    CHECK(value_of(in, "PAN_CTX_TENANT_METADATA_FILE") == "/work/.berth/metadata.json");
    CHECK(make_run_env(in)->files == std::vector<EnvFile>{{".berth/metadata.json", "{}"}});
}

TEST_CASE("a run without triggers has an empty list of them", "[daemon]") {
    CHECK(value_of(small_input(), "PAN_CTX_RUN_TRIGGERS") == "[]");
}

TEST_CASE("a sender cannot name the file that a script will read", "[daemon]") {
    RunEnvInput in = small_input();
    in.triggers = {trigger('a', TriggerSource::api)};
    in.triggers[0].payload = R"({"file": "/etc/passwd", "k": 1})";
    CHECK(Json::parse(value_of(in, "PAN_CTX_RUN_TRIGGERS"))[0]["payload"].dump() == R"({"k":1})");
    in.triggers[0].body = "x";
    CHECK(Json::parse(value_of(in, "PAN_CTX_RUN_TRIGGERS"))[0]["payload"]["file"] ==
          "/work/.berth/trigger-" + std::string(32, 'a') + ".body");
}

TEST_CASE("a webhook without a body has a file all the same", "[daemon]") {
    RunEnvInput in = small_input();
    in.triggers = {trigger('a', TriggerSource::webhook, RunMode::webhook)};
    CHECK(make_run_env(in)->files.size() == 1);
    const Json list = Json::parse(value_of(in, "PAN_CTX_RUN_TRIGGERS"));
    CHECK(list[0]["source"] == "webhook");
    CHECK(list[0]["mode"] == "webhook");
}

TEST_CASE("triggers too large for a variable keep their files", "[daemon]") {
    RunEnvInput in = small_input();
    const std::string large(60'000, 'x');
    for (const char digit : {'a', 'b'}) {
        in.triggers.push_back(trigger(digit, TriggerSource::api));
        in.triggers.back().body = in.triggers.back().payload = R"({"k": ")" + large + R"("})";
    }
    in.triggers[0].headers = R"({"h": "1"})";
    Json list = Json::parse(value_of(in, "PAN_CTX_RUN_TRIGGERS"));
    CHECK(
        list[0]["payload"].dump() ==
        R"({"file":"/work/.berth/trigger-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.body","headers":{"h":"1"}})");
    CHECK(make_run_env(in)->files.size() == 2);

    for (Trigger& one : in.triggers)
        one.headers = R"({"h": ")" + large + R"("})";
    list = Json::parse(value_of(in, "PAN_CTX_RUN_TRIGGERS"));
    CHECK_FALSE(list[0]["payload"].contains("headers"));
    CHECK(list[0]["payload"]["headers_file"] ==
          "/work/.berth/trigger-" + std::string(32, 'a') + ".headers.json");
    CHECK(make_run_env(in)->files.size() == 4);
}

TEST_CASE("a full bundle of triggers fits, one that is larger is refused", "[daemon]") {
    RunEnvInput in = small_input();
    Trigger webhook = trigger('a', TriggerSource::webhook, RunMode::webhook);
    webhook.headers = R"({"h": "1"})";
    in.triggers.assign(limits::kTriggersPerRun, webhook);
    CHECK(make_run_env(in));
    // With headers that do not fit into the variable it is at its largest: two names of files each.
    webhook.headers = R"({"h": ")" + std::string(100, 'h') + R"("})";
    in.triggers.assign(limits::kTriggersPerRun, webhook);
    const auto full = make_run_env(in);
    REQUIRE(full);
    CHECK(full->files.size() == 2 * limits::kTriggersPerRun);
    in.triggers.assign(limits::kTriggersPerRun * 3, webhook);
    CHECK_THAT(refusal(in, FailureKind::over_limit),
               Catch::Contains("triggers do not fit into the environment of one run"));
}

TEST_CASE("what no environment can hold is refused by name", "[daemon]") {
    RunEnvInput in = small_input();
    in.configs = R"({"a=b": 1})";
    CHECK(refusal(in) ==
          "setting 'a=b' cannot name a variable: it is empty, or has '=' or NUL in it");
    in.configs = R"({"": 1})";
    CHECK(refusal(in) == "setting '' cannot name a variable: it is empty, or has '=' or NUL in it");
    in.configs = R"({"a": "x\u0000y"})";
    CHECK(refusal(in) == "setting 'a' contains a NUL character");
    in.configs = R"({"day": 1, "Day": 2})";
    CHECK(refusal(in) ==
          "settings 'Day' and 'day' would both become PAN_CFG_DAY; rename one in the manifest");
    in.configs = "[]";
    CHECK(refusal(in) == "the configs of the run is not a JSON object");
    in.configs = "{}";
    in.secrets = {{"a-b", "c"}, {"a", "b_c"}};
    CHECK(refusal(in) == "secrets 'a-b/c' and 'a/b_c' would both become PAN_SEC_A_B_C; rename one");
    in.secrets = {{"a", "b=c"}};
    CHECK(refusal(in) ==
          "secret 'a/b=c' cannot name a variable: it is empty, or has '=' or NUL in it");
}

TEST_CASE("one variable, all of them and the files have their limits", "[daemon]") {
    RunEnvInput in = small_input();
    const auto configs = [](std::size_t count, std::size_t bytes) {
        Json all = Json::object();
        for (std::size_t i = 0; i < count; ++i)
            all[fmt::format("k{}", i)] = std::string(bytes, 'x');
        return all.dump();
    };
    in.configs = configs(1, limits::kEnvEntryBytes - std::string{"PAN_CFG_K0="}.size() - 1);
    CHECK(make_run_env(in));
    in.configs = configs(1, limits::kEnvEntryBytes);
    CHECK_THAT(refusal(in, FailureKind::over_limit),
               Catch::StartsWith("PAN_CFG_K0 has 131083 bytes; one variable holds at most 131071"));
    in.configs = configs(20, 100'000);
    CHECK_THAT(refusal(in, FailureKind::over_limit), Catch::StartsWith("the environment has 2000"));
    in.configs = "{}";
    in.metadata = std::string(limits::kPlanFilesBytes + 1, ' ');
    CHECK_THAT(refusal(in, FailureKind::over_limit),
               Catch::StartsWith("the payload and metadata files of one run have 67108865 bytes"));
}
