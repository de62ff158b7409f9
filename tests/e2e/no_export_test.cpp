// What the API gives back when every route of it is asked rightly, wrongly and with other
// people's ids: no secret (S9), and no use of one by whom it does not belong to (S20).
// BERTH_CORPUS=full makes the counts of reliability.md, else a part of them.
#include <iostream>
#include <set>

#include "base/text.h"
#include "tests/e2e/finder.h"
#include "tests/e2e/routes.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;

namespace {

constexpr std::size_t kCanaries = 60;

// Two integrations with a tenant each, that have secrets of their own.
class World {
public:
    explicit World(const std::vector<std::string>& canaries) {
        daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
        std::size_t next = 0;
        for (const char* name : {"one", "two"}) {
            const auto made =
                daemon.install(name, {{"PANDIUM.yaml", manifest("env | grep -c ^PAN_SEC")}},
                               {{"connectors", {{{"name", "crm"}, {"isGlobal", false}}}}});
            json fields = json::object();
            for (std::size_t i = 0; i < kCanaries / 2; ++i)
                fields[fmt::format("field{}", i)] = canaries.at(next++);
            daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/crm/connection", made.tenant),
                        {{"secrets", fields}});
            REQUIRE(daemon.run(made.tenant)["state"] == "succeeded");
            installed.push_back(made);
        }
    }
    std::size_t audit_rows(const std::string& action) {
        std::size_t count = 0;
        std::string before;
        for (;;) {
            const json rows = daemon.must("GET", "/v2/audit?limit=500" + before);
            for (const json& row : rows)
                count += row["action"] == action ? 1U : 0U;
            if (rows.size() < 500) return count;
            before = "&before=" + std::to_string(rows.back()["seq"].get<std::int64_t>());
        }
    }

    Daemon daemon;
    std::vector<Daemon::Installed> installed;
};

// Bodies and paths at random, of the words that the API knows.
class Asker {
public:
    Asker(World& world, std::mt19937_64& random) : world_{world}, random_{random} {}

    // `always`: the id of everything, for what must not meet anything.
    std::string target(const Route& route, const std::string& always) {
        std::string path = route.pattern;
        for (auto open = path.find('{'); open != path.npos; open = path.find('{')) {
            const auto close = path.find('}', open);
            const auto name = path.substr(open + 1, close - open - 1);
            path.replace(open, close - open + 1,
                         !always.empty()  ? always
                         : name == "name" ? connector()
                                          : id());
        }
        if (!one_in(3)) return path;
        return path + (one_in(2) ? "?mode=normal&limit=" : "?sort_by=") + id();
    }
    json body(int depth = 0) {
        json object = json::object();
        for (std::size_t n = below(random_, 5); n > 0; --n)
            object[kWords[below(random_, std::size(kWords))]] = value(depth);
        return object;
    }

private:
    static constexpr const char* kWords[] = {
        "name",     "fields", "secrets", "tenant_id", "integration_id", "connection_id",
        "what",     "mode",   "configs", "kind",      "connectors",     "connector_id",
        "headers",  "body",   "method",  "paused",    "target_url",     "query_params",
        "url",      "data",   "state",   "schedule",  "secret_id",      "user_schedule",
        "archived", "run_id", "head",    "return_to", "overlap_seconds"};

    bool one_in(std::size_t times) { return below(random_, times) == 0; }
    std::string connector() {
        const char* const kNames[] = {"crm", "absent", "field0", "..", "%00", "*"};
        return kNames[below(random_, std::size(kNames))];
    }
    // Somebody's, nobody's, and what is none.
    std::string id() {
        switch (below(random_, 6)) {
            case 0: return std::to_string(world_.installed[0].tenant);
            case 1: return std::to_string(world_.installed[1].integration);
            case 2: return std::to_string(random_() % 1'000'000'000);
            case 3: return "-1";
            case 4: return random_text(random_, 32, "0123456789abcdef");
            default: return std::to_string(1 + below(random_, 8));
        }
    }
    json value(int depth) {
        switch (below(random_, 8)) {
            case 0: return id();
            case 1: return std::stoll("1" + std::to_string(random_() % 1'000'000));
            case 2: return nullptr;
            case 3: return one_in(2);
            case 4: return depth > 2 ? json{1.5} : json::array({body(depth + 1), id()});
            case 5: return depth > 2 ? json{""} : body(depth + 1);
            case 6: return random_text(random_, 1 + below(random_, 300), "a\"\\{}/<%\n");
            default: return "normal";
        }
    }

    World& world_;
    std::mt19937_64& random_;
};

// What would end the test's own world.
bool destroys(const Route& route) {
    return route.method == Method::del || route.pattern.ends_with("/disconnect") ||
           route.pattern.ends_with("/connection");
}

}  // namespace

TEST_CASE("no route answers with a secret or uses a foreign one, whatever it is asked",
          "[e2e][no_export]") {
    BERTH_NEEDS_SANDBOX();
    const auto canaries = make_canaries(kCanaries);
    Finder finder{canaries};
    World world{canaries};
    auto random = seeded_random("requests to every route");
    Asker asker{world, random};
    const auto uses = world.audit_rows("secret.use");
    CHECK(uses == 2);  // a run each

    Client client{world.daemon.socket()};
    std::size_t asked = 0, hits = 0, understood = 0;
    const auto look = [&](const Result<ClientResponse>& answer) {
        REQUIRE(answer);
        ++asked;
        understood += answer->ok() ? 1U : 0U;
        hits += finder.in(answer->body);
        for (const auto& [name, value] : answer->headers)
            hits += finder.in(value);
    };
    const std::size_t bodies = full() ? 200 : 8;
    for (const Route& route : all_routes()) {
        if (route.pattern.ends_with("/events")) continue;  // has no end
        INFO(to_string(route.method) << " " << route.pattern);
        for (std::size_t i = 0; i < bodies; ++i) {
            const auto target = asker.target(route, destroys(route) ? "424242" : "");
            const std::string body = has_body(route) ? asker.body().dump() : "";
            look(client.request(to_string(route.method), target, body,
                                {{"content-type", route.content_type}}));
            if (!has_body(route) && i >= bodies / 4) break;
        }
    }
    // Rightly, too: what tenants and runs have.
    for (const auto& made : world.installed)
        for (const char* what :
             {"", "/connectors", "/runs", "/metadata", "/connectors/crm/connection"})
            look(client.request("GET", fmt::format("/v2/tenants/{}{}", made.tenant, what)));
    std::cout << fmt::format("{} routes, {} answers ({} of them 2xx), hits: {} in {} forms\n",
                             all_routes().size(), asked, understood, hits, finder.forms());
    CHECK(hits == 0);
    CHECK(understood > all_routes().size() / 4);
    CHECK(finder.in("x" + canaries[3]) > 0);  // the control

    // Whatever was triggered ends; nobody had a secret but runs of who owns it.
    REQUIRE(eventually([&] {
        const json runs = world.daemon.must("GET", "/v2/runs?limit=500");
        return std::ranges::all_of(runs, [](const json& run) {
            return run["state"] != "queued" && run["state"] != "running" &&
                   run["state"] != "starting" && run["state"] != "preparing";
        });
    }));
    std::size_t of_runs = 0;
    for (const json& row : world.daemon.must("GET", "/v2/audit?limit=500"))
        if (row["action"] == "secret.use") {
            INFO(row.dump());
            const std::string object = row["object"];
            CHECK(object.starts_with("run "));
            const auto tenant = object.substr(object.rfind(' ') + 1);
            CHECK((tenant == std::to_string(world.installed[0].tenant) ||
                   tenant == std::to_string(world.installed[1].tenant)));
            ++of_runs;
        }
    CHECK(of_runs >= uses);
}

TEST_CASE("a foreign or made up id in any place uses nobody's secret", "[e2e][no_export]") {
    BERTH_NEEDS_SANDBOX();
    const auto canaries = make_canaries(kCanaries);
    World world{canaries};
    auto random = seeded_random("foreign ids");
    const auto& own = world.installed[0];
    const auto& other = world.installed[1];
    const auto before = world.audit_rows("secret.use");
    Client client{world.daemon.socket()};
    const std::size_t count = full() ? 10'000 : 400;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto foreign = below(random, 3) == 0
                                 ? other.tenant
                                 : static_cast<std::int64_t>(1'000 + random() % 1'000'000'000);
        const json ids{{"tenant_id", foreign},      {"connection_id", foreign},
                       {"connector_id", foreign},   {"secret_id", foreign},
                       {"integration_id", foreign}, {"run_id", foreign}};
        std::string method = "POST", target;
        json body = ids;
        switch (below(random, 6)) {
            case 0:  // a connector that this tenant's integration does not have
                target = fmt::format("/v2/tenants/{}/connectors/c{}/call", own.tenant, foreign);
                body["target_url"] = "https://example.com/";
                break;
            case 1:
                target = fmt::format("/v2/tenants/{}/connectors/crm/call", foreign + 1'000'000'000);
                body["target_url"] = "https://example.com/";
                break;
            case 2:
                target = fmt::format("/v2/tenants/{}/connectors/crm/connection",
                                     foreign + 1'000'000'000);
                method = "PUT";
                body["secrets"] = {{"a", "value-of-nobody"}};
                break;
            case 3: target = fmt::format("/v2/runs/{}/rerun", 1'000 + foreign); break;
            case 4:
                target = fmt::format("/v2/tenants/{}/connectors/crm/connection", own.tenant);
                method = "PUT";
                body["fields"] = {{"a", foreign}};
                break;
            default:
                target = fmt::format("/v2/integrations/{}/connectors/crm/connection", foreign);
                method = "PUT";
                body["secrets"] = {{"a", "value-of-nobody"}};
        }
        const auto answer = client.request(method, target, body.dump());
        REQUIRE(answer);
        INFO(method << " " << target << " " << body.dump() << ": " << answer->body);
        CHECK(answer->status / 100 == 4);
        refused += answer->status / 100 == 4 ? 1U : 0U;
    }
    // A run whose payload names another tenant's things has its own secrets only.
    const json run = world.daemon.run(
        own.tenant, "normal", {{"tenant_id", other.tenant}, {"connection_id", other.tenant}});
    CHECK(run["state"] == "succeeded");
    CHECK(world.audit_rows("secret.use") == before + 1);
    std::cout << fmt::format("foreign ids: {} requests, {} refused, 0 uses of a secret\n", count,
                             refused);
    CHECK(refused == count);
}
