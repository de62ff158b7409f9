// Every route that takes a body, every field of it, every wrong type: each is
// refused at its place, and none of it changes anything.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;

namespace {

enum class Kind { text, integer, boolean, object, list, nothing };

const std::vector<std::pair<Kind, json>>& values() {
    static const std::vector<std::pair<Kind, json>> all{
        {Kind::text, "x"},     {Kind::integer, 1},
        {Kind::boolean, true}, {Kind::object, json::object({{"a", 1}})},
        {Kind::list, {1}},     {Kind::nothing, nullptr},
        {Kind::nothing, 1.5},  {Kind::nothing, json::array({json::array()})}};
    return all;
}

struct Field {
    const char* name;
    Kind kind;
};

struct Route {
    const char* method;
    std::string path;
    json good;  // without the field at hand it would do
    std::vector<Field> fields;
};

}  // namespace

TEST_CASE("every field of every route refuses every wrong type at its place", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
    daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
    const auto made = daemon.install(
        "typed",
        {{"PANDIUM.yaml", manifest("true", "configs: {}\nmetadata_schema: {schema: {}}\n")}},
        {{"connectors", {{{"name", "shop"}}, {{"name", "crm"}, {"isGlobal", true}}}}});
    const auto integration = fmt::format("/v2/integrations/{}", made.integration);
    const auto tenant = fmt::format("/v2/tenants/{}", made.tenant);
    const std::vector<Field> of_integration{{"name", Kind::text},
                                            {"long_name", Kind::text},
                                            {"connectors", Kind::list},
                                            {"network", Kind::text},
                                            {"egress_names", Kind::list},
                                            {"on_lost", Kind::text},
                                            {"wall_time_seconds", Kind::integer},
                                            {"memory_mib", Kind::integer},
                                            {"default_release_channel", Kind::text}};
    auto to_change = of_integration;
    for (const Field& more : {Field{"paused", Kind::boolean}, Field{"archived", Kind::boolean},
                              Field{"default_release_id", Kind::integer}})
        to_change.push_back(more);
    const json kSecrets{{"secrets", {{"key", "value-123"}}}};
    const std::vector<Route> routes{
        {"POST", "/v2/integrations", {{"name", "new"}}, of_integration},
        {"PATCH", integration, json::object(), to_change},
        {"POST", "/v2/connectors", {{"name", "new"}}, {{"name", Kind::text}, {"kind", Kind::text}}},
        {"PUT", integration + "/connectors/shop", json::object(), {{"isGlobal", Kind::boolean}}},
        {"PUT", integration + "/connectors/crm/connection", kSecrets, {{"secrets", Kind::object}}},
        {"POST",
         "/v2/tenants",
         {{"name", "new"}, {"integration_id", made.integration}},
         {{"name", Kind::text},
          {"integration_id", Kind::integer},
          {"user_name", Kind::text},
          {"user_schedule", Kind::text},
          {"configs", Kind::object},
          {"integration_release_id", Kind::integer},
          {"integration_release_channel", Kind::text}}},
        {"PATCH",
         tenant,
         json::object(),
         {{"name", Kind::text},
          {"user_schedule", Kind::text},
          {"configs", Kind::object},
          {"paused", Kind::boolean},
          {"archived", Kind::boolean},
          {"integration_release_id", Kind::integer},
          {"integration_release_channel", Kind::text}}},
        {"PUT", tenant + "/connectors/shop/connection", kSecrets, {{"secrets", Kind::object}}},
        {"PUT",
         tenant + "/schedule",
         json::object(),
         {{"text", Kind::text},
          {"zone", Kind::text},
          {"gap", Kind::text},
          {"overlap", Kind::text},
          {"jitter_seconds", Kind::integer},
          {"missed", Kind::text},
          {"window_seconds", Kind::integer},
          {"when_busy", Kind::text},
          {"follow_integration", Kind::boolean}}},
        {"PUT",
         integration + "/policy",
         json::object(),
         {{"schedule", Kind::object},
          {"allowed_schedules", Kind::list},
          {"shortest_interval_seconds", Kind::integer},
          {"most_running", Kind::integer},
          {"most_waiting", Kind::integer},
          {"starts_per_minute", Kind::integer},
          {"tenant_starts_per_minute", Kind::integer},
          {"retries", Kind::integer},
          {"retry_first_seconds", Kind::integer},
          {"retry_longest_seconds", Kind::integer}}},
        {"POST",
         "/v2/runs/1/rerun",
         json::object(),
         {{"configs", Kind::object},
          {"configs_from", Kind::text},
          {"state", Kind::text},
          {"state_from", Kind::text},
          {"release_from", Kind::text},
          {"keeps_state", Kind::boolean}}},
    };
    const auto everything = [&] {
        json all;
        for (const char* path : {"/v2/integrations?archived=true", "/v2/tenants?archived=true",
                                 "/v2/connectors", "/v2/runs"})
            all.push_back(daemon.must("GET", path));
        all.push_back(daemon.must("GET", tenant + "/connectors"));
        all.push_back(daemon.must("GET", tenant + "/metadata"));
        return all;
    };
    const json before = everything();
    int tried = 0;
    for (const Route& route : routes) {
        for (const Field& field : route.fields)
            for (const auto& [kind, value] : values()) {
                if (kind == field.kind || value.is_null()) continue;
                json body = route.good;
                body[field.name] = value;
                const auto answer = daemon.request(route.method, route.path, body);
                INFO(route.method << " " << route.path << " " << body.dump() << " -> "
                                  << answer.status << " " << answer.body);
                CHECK(answer.status == 422);
                const json said = json::parse(answer.body, nullptr, false);
                REQUIRE(said.is_object());
                REQUIRE(said.contains("detail"));
                const json& first = said["detail"][0];
                CHECK(first["loc"][0] == "body");
                CHECK(first["loc"][1] == field.name);
                CHECK(first["msg"].get<std::string>().find(field.name) != std::string::npos);
                CHECK(first.contains("type"));
                ++tried;
            }
        // The whole body of another type, and a field that nobody knows.
        for (const auto& [kind, value] : values()) {
            if (kind == Kind::object) continue;
            const auto answer =
                daemon.request(route.method, route.path, value.is_null() ? json("null") : value);
            INFO(route.method << " " << route.path << " " << value.dump() << " -> " << answer.status
                              << " " << answer.body);
            CHECK(answer.status == 422);
            ++tried;
        }
        json unknown = route.good;
        unknown["no_such_field"] = 1;
        const auto answer = daemon.request(route.method, route.path, unknown);
        INFO(route.method << " " << route.path << " -> " << answer.body);
        CHECK(answer.status == 422);
        CHECK(answer.body.find("no_such_field") != std::string::npos);
        CHECK(everything() == before);
    }
    // Those whose body is any object.
    for (const auto& [method, path] :
         std::vector<std::pair<const char*, std::string>>{{"POST", tenant + "/sync?mode=normal"},
                                                          {"POST", tenant + "/run?mode=init"},
                                                          {"PATCH", tenant + "/metadata"}})
        for (const auto& [kind, value] : values()) {
            if (kind == Kind::object || value.is_null()) continue;
            const auto answer = daemon.request(method, path, value);
            INFO(method << " " << path << " " << value.dump() << " -> " << answer.body);
            CHECK(answer.status == 422);
            ++tried;
        }
    CHECK(everything() == before);
    CHECK(tried > 200);
}

TEST_CASE("every id in a path is a positive integer or refused as one", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::vector<std::pair<const char*, const char*>> routes{
        {"GET", "/v2/integrations/{}"},
        {"PATCH", "/v2/integrations/{}"},
        {"GET", "/v2/integrations/{}/releases"},
        {"GET", "/v2/integrations/{}/releases/default"},
        {"GET", "/v2/integrations/{}/releases/latest"},
        {"GET", "/v2/integrations/{}/releases/1"},
        {"PUT", "/v2/integrations/{}/connectors/shop"},
        {"PUT", "/v2/integrations/{}/connectors/shop/connection"},
        {"GET", "/v2/tenants/{}"},
        {"PATCH", "/v2/tenants/{}"},
        {"DELETE", "/v2/tenants/{}"},
        {"POST", "/v2/tenants/{}/sync?mode=normal"},
        {"POST", "/v2/tenants/{}/run?mode=normal"},
        {"GET", "/v2/tenants/{}/runs"},
        {"GET", "/v2/tenants/{}/metadata"},
        {"PATCH", "/v2/tenants/{}/metadata"},
        {"GET", "/v2/tenants/{}/connectors"},
        {"PUT", "/v2/tenants/{}/connectors/shop/connection"},
        {"PATCH", "/v2/tenants/{}/connectors/shop/disconnect"},
        {"GET", "/v2/tenants/{}/schedule"},
        {"PUT", "/v2/tenants/{}/schedule"},
        {"GET", "/v2/tenants/{}/schedule/history"},
        {"GET", "/v2/tenants/{}/schedule/preview"},
        {"GET", "/v2/integrations/{}/policy"},
        {"PUT", "/v2/integrations/{}/policy"},
        {"POST", "/v2/runs/{}/rerun"},
        {"GET", "/v2/runs/{}"},
        {"GET", "/v2/runs/{}/events"},
        {"GET", "/v2/runs/{}/log"},
        {"POST", "/v2/runs/{}/cancel"},
    };
    for (const auto& [method, pattern] : routes) {
        const std::string text = pattern;
        const auto at = text.find("{}");
        const auto with = [&](const std::string& id) {
            std::string path = text;
            path.replace(at, 2, id);
            const bool has_body = std::string{method} != "GET" && std::string{method} != "DELETE" &&
                                  text.find("disconnect") == std::string::npos &&
                                  text.find("cancel") == std::string::npos;
            json body = has_body ? json::object() : json();
            if (text.ends_with("/connection")) body = {{"secrets", {{"key", "a-value-1"}}}};
            const auto answer = daemon.request(method, path, body);
            UNSCOPED_INFO(method << " " << path << " -> " << answer.status << " " << answer.body);
            return answer;
        };
        for (const char* id : {"0", "-1", "+1", "1.0", "1e1", "0x1", "abc", "%20", "1_0",
                               "9223372036854775808", "99999999999999999999", "%F0%9F%92%A9"}) {
            INFO(id);
            CHECK(with(id).status == 422);
        }
        for (const char* id : {"424242", "9223372036854775807"})
            CHECK(with(id).status == 404);
    }
}
