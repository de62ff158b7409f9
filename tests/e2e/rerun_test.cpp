// A run of the past once more, with the real daemons: what the script finds the second
// time is what it found the first time, or what was asked for.
#include <catch2/catch.hpp>

#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

constexpr auto kSchema =
    "configs:\n"
    "  schema:\n"
    "    type: object\n"
    "    properties:\n"
    "      color: {type: string, enum: [red, green, blue]}\n";

// Prints what it was given and then its state.
Folder script(const std::string& version) {
    return {
        {"PANDIUM.yaml",
         manifest("echo \"" + version +
                      " $PAN_CFG_COLOR $PAN_CTX_RUN_MODE [$PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT] "
                      "$PAN_CTX_RUN_TRIGGERS\" >&2;"
                      " cat /work/.berth/trigger-*.body >&2 2>/dev/null; echo $RANDOM$RANDOM",
                  kSchema)}};
}

struct World {
    Daemon daemon;
    Daemon::Installed made =
        daemon.install("repeat", script("one"), json::object(), {{"color", "red"}});

    berth::ClientResponse ask(std::int64_t run, const json& wish = nullptr,
                              const berth::ClientHeaders& headers = {}) {
        return daemon.request("POST", fmt::format("/v2/runs/{}/rerun", run), wish, headers);
    }
    json again(std::int64_t run, const json& wish = nullptr) {
        const auto answer = ask(run, wish);
        INFO(answer.body);
        REQUIRE(answer.status == 202);
        return daemon.wait_run(json::parse(answer.body)["trigger_id"]);
    }
    void set_color(const std::string& color) {
        daemon.must("PATCH", fmt::format("/v2/tenants/{}", made.tenant),
                    {{"configs", {{"color", color}}}});
    }
    std::string printed(const json& run) { return daemon.run_log(run["id"], "stderr"); }
};

}  // namespace

TEST_CASE("a rerun gives the script what the run was given, whatever has changed since", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    const json before = w.daemon.run(w.made.tenant);
    const json first = w.daemon.run(w.made.tenant, "normal", {{"order", 17}});
    w.set_color("blue");
    REQUIRE(w.daemon.upload(w.made.integration, script("two")).status == 200);
    w.daemon.must("PATCH", fmt::format("/v2/tenants/{}", w.made.tenant),
                  {{"integration_release_channel", "Default"}});
    const json later = w.daemon.run(w.made.tenant);
    CHECK_THAT(w.printed(later), Contains("two blue"));

    const json again = w.again(first["id"]);
    CHECK(again["state"] == "succeeded");
    CHECK(again["rerun_of"] == first["id"]);
    CHECK(again["keeps_state"] == false);
    CHECK(again["release_id"] == first["release_id"]);
    CHECK(w.printed(again) == w.printed(first));
    CHECK_THAT(w.printed(again), Contains("one red normal") &&
                                     Contains(before["std_out"].get<std::string>()) &&
                                     Contains("{\"order\":17}"));
    REQUIRE(again["triggers"].size() == 1);
    CHECK(again["triggers"][0]["source"] == "manual");
    CHECK(first["rerun_of"].is_null());
    CHECK(first["keeps_state"] == true);

    SECTION("and of a rerun the same once more") {
        CHECK(w.printed(w.again(again["id"])) == w.printed(first));
    }
    SECTION("or what is current, each by itself") {
        const json current = w.again(
            first["id"],
            {{"configs_from", "current"}, {"state_from", "current"}, {"release_from", "current"}});
        CHECK_THAT(w.printed(current), Contains("two blue normal") &&
                                           Contains(later["std_out"].get<std::string>()) &&
                                           Contains("{\"order\":17}"));
        const json code = w.again(first["id"], {{"release_from", "current"}});
        CHECK_THAT(w.printed(code),
                   Contains("two red") && Contains(before["std_out"].get<std::string>()));
    }
    SECTION("or what the caller brings") {
        const json given =
            w.again(first["id"], {{"configs", {{"color", "green"}}}, {"state", "cursor 5"}});
        CHECK_THAT(w.printed(given), Contains("one green normal [cursor 5]"));
    }
}

TEST_CASE("the state of a rerun reaches later runs only when that is asked for", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    const json first = w.daemon.run(w.made.tenant);
    const json unkept = w.again(first["id"]);
    CHECK_THAT(w.printed(w.daemon.run(w.made.tenant)),
               Contains("[" + first["std_out"].get<std::string>() + "]") &&
                   !Contains(unkept["std_out"].get<std::string>()));
    const json kept = w.again(first["id"], {{"keeps_state", true}});
    CHECK(kept["keeps_state"] == true);
    CHECK_THAT(w.printed(w.daemon.run(w.made.tenant)),
               Contains("[" + kept["std_out"].get<std::string>() + "]"));
}

TEST_CASE("a rerun is one run, however often it is asked for by one key", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    const json first = w.daemon.run(w.made.tenant);
    const auto path = fmt::format("/v2/integrations/{}", w.made.integration);
    w.daemon.must("PATCH", path, {{"paused", true}});
    const berth::ClientHeaders key{{"Idempotency-Key", "once"}};
    const auto one = w.ask(first["id"], nullptr, key), two = w.ask(first["id"], nullptr, key);
    REQUIRE(one.status == 202);
    CHECK(one.body == two.body);
    const auto other = w.ask(first["id"]);
    const std::string api = w.daemon.sync(w.made.tenant);
    w.daemon.must("PATCH", path, {{"paused", false}});

    // Three runs: a rerun shares its run with nothing.
    const json a = w.daemon.wait_run(json::parse(one.body)["trigger_id"]);
    const json b = w.daemon.wait_run(json::parse(other.body)["trigger_id"]);
    const json c = w.daemon.wait_run(api);
    CHECK(a["id"] != b["id"]);
    CHECK(b["id"] != c["id"]);
    CHECK(c["rerun_of"].is_null());
    CHECK(c["triggers"].size() == 1);
}

TEST_CASE("a rerun that can only fail is refused, with what to do", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    const json first = w.daemon.run(w.made.tenant);
    const std::int64_t id = first["id"];
    const auto refused = [&](const json& wish, int status, const std::string& message,
                             const std::string& place) {
        const auto answer = w.ask(id, wish);
        INFO(wish.dump() << " answered " << answer.body);
        CHECK(answer.status == status);
        CHECK_THAT(answer.body, Contains(message) && Contains(place));
    };
    refused({{"configs", {{"color", "pink"}}}}, 422, "custom configs do not fit", "configs");
    refused({{"configs_from", "newest"}}, 422, "must be one of: original, current", "configs_from");
    refused({{"configs", json::object()}, {"configs_from", "current"}}, 422, "not both",
            "configs_from");
    refused({{"state", "a"}, {"state_from", "current"}}, 422, "not both", "state_from");
    refused({{"release_from", "custom"}}, 422, "must be one of: original, current", "release_from");
    refused({{"keep_state", true}}, 422, "keep_state", "keep_state");
    refused({{"state", std::string(200'000, 'x')}}, 422, "at most", "state");
    CHECK(w.ask(999'999).status == 404);

    w.daemon.must("PATCH", fmt::format("/v2/tenants/{}", w.made.tenant), {{"archived", true}});
    const auto archived = w.ask(id);
    CHECK(archived.status == 409);
    CHECK_THAT(archived.body, Contains("is archived and starts no run"));
}

TEST_CASE("a rerun obeys the caps, and each refusal says when to come again", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    World w;
    const json first = w.daemon.run(w.made.tenant);
    const auto path = fmt::format("/v2/integrations/{}", w.made.integration);
    w.daemon.must("PUT", path + "/policy", {{"most_waiting", 1}});
    w.daemon.must("PATCH", path, {{"paused", true}});
    REQUIRE(w.ask(first["id"]).status == 202);
    const auto refused = w.ask(first["id"]);
    CHECK(refused.status == 429);
    CHECK_THAT(refused.body, Contains("most_waiting"));
    CHECK_FALSE(refused.header("retry-after").empty());
    const auto sync = w.daemon.request(
        "POST", fmt::format("/v2/tenants/{}/sync?mode=normal", w.made.tenant), json::object());
    CHECK(sync.status == 429);
    CHECK_FALSE(sync.header("retry-after").empty());
    w.daemon.must("PATCH", path, {{"paused", false}});
}
