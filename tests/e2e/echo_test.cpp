// S16: a bad value, put into every field, path and query of every route of the API, comes back
// in no refusal, log line or audit row, save where a message quotes it on purpose: these places
// are listed here. Fields are taken from the sources of the routes, so that none is forgotten.
// BERTH_CORPUS=full tries every form of a bad value, else one of them, by the seed.
#include <algorithm>
#include <fstream>
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

namespace fs = std::filesystem;

// Quoted on purpose, since a person has to see it to find his mistake: names of things, numbers
// of what is not there, hosts to reach, schedules. No secret belongs there.
const std::set<std::string> kQuotedFields{"allowed_schedules",
                                          "connectors",
                                          "default_release_id",
                                          "egress_names",
                                          "integration_id",
                                          "integration_release_id",
                                          "kind",
                                          "name",
                                          "text",
                                          "user_schedule",
                                          "zone"};
const std::set<std::string> kQuotedParameters{"connector_name", "kind_name"};
// Their bodies have no fields of ours: none, a payload, metadata, a tar.
const std::set<std::string> kWithoutFields{
    "PATCH /v2/tenants/{tenant_id}/connectors/{connector_name}/disconnect",
    "PATCH /v2/tenants/{tenant_id}/metadata",
    "POST /v2/backup",
    "POST /v2/integrations/{integration_id}/connectors/{connector_name}/authorize",
    "POST /v2/integrations/{integration_id}/releases",
    "POST /v2/integrations/{integration_id}/sync",
    "POST /v2/runs/{run_id}/cancel",
    "POST /v2/tenants/{tenant_id}/auth-link",
    "POST /v2/tenants/{tenant_id}/connectors/{connector_name}/authorize",
    "POST /v2/tenants/{tenant_id}/run",
    "POST /v2/tenants/{tenant_id}/sync",
    "POST /v2/vault/accept-restore",
    "PUT /v2/tenants/{tenant_id}/connectors/{connector_name}/webhook"};

// Words of the routes' sources that may be names.
struct Words {
    std::set<std::string> fields;   // any literal may be one
    std::set<std::string> queries;  // behind `query.…(` or `read_limit(`
};

bool may_be_name(std::string_view word) {
    return word.size() > 1 && word.size() < 40 && std::ranges::all_of(word, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
           });
}

Words words_of_routes() {
    Words words{{}, {"skip", "limit", "sort_by"}};
    for (const auto& entry : fs::directory_iterator{fs::path{BERTH_SOURCE_DIR} / "control"}) {
        if (!entry.path().filename().string().starts_with("routes_")) continue;
        std::ifstream file{entry.path()};
        const std::string text{std::istreambuf_iterator<char>{file}, {}};
        const auto pieces = split(text, '"');
        for (std::size_t i = 1; i < pieces.size(); i += 2) {
            if (!may_be_name(pieces[i])) continue;
            words.fields.insert(pieces[i]);
            const auto& before = pieces[i - 1];
            const auto tail =
                before.substr(before.size() - std::min<std::size_t>(before.size(), 40));
            if (tail.find("query.") != std::string::npos ||
                tail.find("read_limit(") != std::string::npos)
                words.queries.insert(pieces[i]);
        }
    }
    return words;
}

std::string name_of(const Route& route) {
    return std::string{to_string(route.method)} + " " + route.pattern;
}

class World {
public:
    World() {
        made = daemon.install("shop", {{"PANDIUM.yaml", manifest("true")}});
        for (const char* kind : {"custom", "api-key"}) {
            const auto name = std::string{"c-"} + kind;
            daemon.must("POST", "/v2/connectors", {{"name", name}, {"kind", kind}});
            daemon.must("PUT",
                        fmt::format("/v2/integrations/{}/connectors/{}", made.integration, name),
                        json::object());
        }
        run = daemon.run(made.tenant)["id"];
    }

    // `replaced`: the parameter that is `with`.
    std::string target(const Route& route, const std::string& replaced = "",
                       const std::string& with = "") const {
        std::string path = route.pattern;
        for (auto open = path.find('{'); open != path.npos; open = path.find('{')) {
            const auto close = path.find('}', open);
            const auto name = path.substr(open + 1, close - open - 1);
            path.replace(open, close - open + 1, name == replaced ? with : right(name));
        }
        return path;
    }
    // Enough that what is wrong is the one field that is added.
    json good_body(const Route& route) {
        const auto ends = [&](const char* with) { return route.pattern.ends_with(with); };
        const std::string fresh = fmt::format("made-{}", ++made_so_far_);
        if (ends("/connection") || ends("/provisioning"))
            return {{"secrets", {{"api_key", "good enough"}}}};
        if (ends("/call") || ends("/soap") || ends("/xml"))
            return {{"target_url", "https://127.0.0.1:1/"}};
        if (ends("/schedule")) return {{"text", "@daily"}};
        if (ends("/policy")) return {{"schedule", {{"text", "@daily"}}}};
        if (ends("/rotations")) return {{"what", "kek"}};
        if (route.method != Method::post) return json::object();
        if (ends("/v2/tenants")) return {{"name", fresh}, {"integration_id", made.integration}};
        if (ends("/v2/integrations") || ends("/v2/connectors")) return {{"name", fresh}};
        return json::object();
    }

    Daemon daemon{"public_url = https://hooks.example.com\npool_size = 0\n"};
    Daemon::Installed made;
    std::int64_t run = 0;

private:
    std::string right(const std::string& parameter) const {
        if (parameter == "tenant_id") return std::to_string(made.tenant);
        if (parameter == "integration_id") return std::to_string(made.integration);
        if (parameter == "release_id") return std::to_string(made.release);
        if (parameter == "run_id") return std::to_string(run);
        if (parameter == "connector_name") return "c-api-key";
        if (parameter == "kind_name") return "api-key";
        return "1";
    }

    int made_so_far_ = 0;
};

// Asks, and remembers where a bad value came back.
class Prober {
public:
    explicit Prober(World& world) : world_{world} {}

    enum class Place { field, parameter };
    // Another one each time; from the hidden ones unless it may be quoted.
    const std::string& canary(Place place, const std::string& name) {
        const auto& quoted = place == Place::field ? kQuotedFields : kQuotedParameters;
        return canaries_[++next_ % kEach + (quoted.contains(name) ? kEach : 0)];
    }
    ClientResponse ask(const Route& route, const std::string& target, const std::string& body,
                       const ClientHeaders& headers = {}) {
        ClientHeaders all = headers;
        if (!route.content_type.empty()) all.emplace_back("content-type", route.content_type);
        const auto answer = client_.request(to_string(route.method), target, body, all);
        INFO(name_of(route));
        REQUIRE(answer);
        ++asked;
        refused += answer->status >= 400 ? 1U : 0U;
        return *answer;
    }
    // Only refusals: what was taken may be shown again.
    void look(const ClientResponse& answer, Place place, const std::string& name,
              const std::string& also = "") {
        if (answer.status < 400) return;
        std::string text = answer.body;
        for (const auto& [header, value] : answer.headers)
            text += "\n" + value;
        if (in_all_.in(text) == 0 && (also.empty() || text.find(also) == std::string::npos)) return;
        (place == Place::field ? fields : parameters).insert(name);
        where[name] = text.substr(0, 300);
    }
    std::size_t hidden_in(std::string_view text) { return in_hidden_.in(text); }

    std::set<std::string> fields, parameters;  // that were quoted
    std::map<std::string, std::string> where;
    std::size_t asked = 0, refused = 0;

private:
    static constexpr std::size_t kEach = 100;

    const std::vector<std::string> canaries_ = make_canaries(2 * kEach);
    // The first half: never quoted.
    const std::vector<std::string> hidden_{canaries_.begin(), canaries_.begin() + kEach};
    Finder in_hidden_{hidden_}, in_all_{canaries_};
    World& world_;
    Client client_{world_.daemon.socket()};
    std::size_t next_ = 0;
};

constexpr std::int64_t kNumber = 923'456'789'012'345'678;

std::vector<json> bad_values(const std::string& canary) {
    return {canary,
            json::array({canary}),
            {{"a", canary}},
            {{"a", {{"b", canary}}}},
            json::array({{{"name", canary}, {"value", {canary}}}}),
            canary + std::string(70'000, 'x'),
            "https://user:" + to_hex(canary) + "@example.com:99999/" + to_hex(canary),
            canary + std::string{"\0", 1},
            kNumber};
}

bool has_fields(Prober& prober, World& world, const Route& route) {
    json body = world.good_body(route);
    body["no_such_field"] = 1;
    const auto answer = prober.ask(route, world.target(route), body.dump());
    INFO(name_of(route) << " needs another body in good_body(): " << answer.body);
    CHECK(answer.body.find("is required") == std::string::npos);
    return answer.body.find("is not known here") != std::string::npos;
}

void ask_fields(Prober& prober, World& world, const Route& route,
                const std::set<std::string>& words, std::mt19937_64& random) {
    static const std::set<std::string> inner{"text", "zone", "gap", "overlap", "missed"};
    for (const std::string& word : words) {
        const auto values = bad_values(prober.canary(Prober::Place::field, word));
        const auto first = full() ? 0 : below(random, values.size());
        const auto last = full() ? values.size() : first + 1;
        for (auto i = first; i < last; ++i) {
            json body = world.good_body(route);
            // A policy's schedule has fields of its own.
            (route.pattern.ends_with("/policy") && inner.contains(word) ? body["schedule"]
                                                                        : body)[word] = values[i];
            const auto answer = prober.ask(route, world.target(route), body.dump());
            if (answer.body.find("is not known here") != std::string::npos) break;
            prober.look(answer, Prober::Place::field, word, std::to_string(kNumber));
        }
    }
    // What is no JSON at all.
    const auto& canary = prober.canary(Prober::Place::field, "(the body)");
    for (const std::string& text :
         {canary, "{\"a\": \"" + to_hex(canary), "[\"" + to_hex(canary) + "\"]",
          "{\"a\": " + to_hex(canary) + "}", "\"" + to_base64(canary) + "\""})
        prober.look(prober.ask(route, world.target(route), text), Prober::Place::field,
                    "(the body)");
}

void ask_parameters(Prober& prober, World& world, const Route& route,
                    const std::set<std::string>& words) {
    const auto place = Prober::Place::parameter;
    for (auto open = route.pattern.find('{'); open != std::string::npos;
         open = route.pattern.find('{', open + 1)) {
        const auto name = route.pattern.substr(open + 1, route.pattern.find('}', open) - open - 1);
        const auto value = to_hex(prober.canary(place, name));
        prober.look(prober.ask(route, world.target(route, name, value), ""), place, name);
    }
    if (route.method == Method::del || route.pattern.ends_with("/backup")) return;  // they act
    for (const std::string& word : words) {
        const auto value = to_hex(prober.canary(place, word));
        prober.look(
            prober.ask(route, fmt::format("{}?{}={}", world.target(route), word, value), ""), place,
            word);
    }
    for (const char* header :
         {"idempotency-key", "cookie", "authorization", "x-api-key", "accept"}) {
        const auto value = fmt::format("{0}{0}{0}", to_hex(prober.canary(place, header)));
        prober.look(prober.ask(route, world.target(route), "", {{header, value}}), place, header);
    }
}

}  // namespace

TEST_CASE("a bad value in any field of any route comes back only where a message quotes it",
          "[e2e][echo]") {
    BERTH_NEEDS_SANDBOX();
    auto random = seeded_random("bad values");
    World world;
    Prober prober{world};
    const auto words = words_of_routes();
    REQUIRE(words.fields.contains("allowed_schedules"));
    REQUIRE(words.queries.contains("user_name"));
    REQUIRE(words.queries.contains("count"));
    std::set<std::string> without;
    std::size_t with = 0;
    for (const Route& route : all_routes()) {
        if (route.pattern.ends_with("/events")) continue;  // has no end
        ask_parameters(prober, world, route, words.queries);
        if (!has_body(route)) continue;
        if (!has_fields(prober, world, route)) {
            without.insert(name_of(route));
            continue;
        }
        ++with;
        ask_fields(prober, world, route, words.fields, random);
    }
    std::string told;
    for (const auto& [name, text] : prober.where)
        told += fmt::format("{}: {}\n", name, text);
    INFO(told);
    std::cout << fmt::format(
        "{} routes, {} of them with fields; {} words and {} parameters tried in each; {} requests, "
        "{} refused; bad values were quoted of {} fields and {} parameters\n",
        all_routes().size(), with, words.fields.size(), words.queries.size(), prober.asked,
        prober.refused, prober.fields.size(), prober.parameters.size());
    CHECK(prober.parameters == kQuotedParameters);
    CHECK(std::ranges::includes(kQuotedFields, prober.fields));
    CHECK(without == kWithoutFields);
    if (full()) CHECK(prober.fields == kQuotedFields);  // the control: they are found
    CHECK(prober.hidden_in(world.daemon.log()) == 0);
    CHECK(prober.hidden_in(world.daemon.must("GET", "/v2/audit?limit=500").dump()) == 0);
}
