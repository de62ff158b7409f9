#include "scheduler/bundle.h"

#include <catch2/catch.hpp>

#include "model/limits.h"

using namespace berth;

namespace {

WaitingTrigger trigger(std::string id, TriggerSource source, RunMode mode) {
    WaitingTrigger t;
    t.id = {std::move(id)};
    t.source = source;
    t.mode = mode;
    return t;
}
WaitingTrigger api(std::string id) {
    return trigger(std::move(id), TriggerSource::api, RunMode::normal);
}
WaitingTrigger manual(std::string id) {
    return trigger(std::move(id), TriggerSource::manual, RunMode::normal);
}
WaitingTrigger init(std::string id) {
    return trigger(std::move(id), TriggerSource::api, RunMode::init);
}
WaitingTrigger cron(std::string id) {
    return trigger(std::move(id), TriggerSource::cron, RunMode::normal);
}
WaitingTrigger hook(std::string id) {
    return trigger(std::move(id), TriggerSource::webhook, RunMode::webhook);
}
std::vector<std::string> ids(const Bundle& bundle) {
    std::vector<std::string> out;
    for (const TriggerId& id : bundle.triggers)
        out.push_back(id.str());
    return out;
}
using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("no waiting trigger makes no run", "[scheduler]") { CHECK_FALSE(next_bundle({})); }

TEST_CASE("crons go before older triggers and only with crons", "[scheduler]") {
    const std::vector waiting{api("a"), cron("c1"), hook("h"), cron("c2")};
    const auto bundle = next_bundle(waiting);
    REQUIRE(bundle);
    CHECK(ids(*bundle) == Ids{"c1", "c2"});
    CHECK(bundle->mode == RunMode::normal);
}

TEST_CASE("api, webhook and manual triggers share one run", "[scheduler]") {
    const std::vector waiting{hook("h"), api("a"), manual("m")};
    const auto bundle = next_bundle(waiting);
    REQUIRE(bundle);
    CHECK(ids(*bundle) == Ids{"h", "a", "m"});
    CHECK(bundle->mode == RunMode::normal);
}

TEST_CASE("webhooks alone make a webhook run", "[scheduler]") {
    const std::vector waiting{hook("h1"), hook("h2")};
    const auto bundle = next_bundle(waiting);
    REQUIRE(bundle);
    CHECK(bundle->mode == RunMode::webhook);
    CHECK(ids(*bundle) == Ids{"h1", "h2"});
}

TEST_CASE("an init run takes only inits, and a normal run takes none", "[scheduler]") {
    const std::vector init_first{init("i1"), api("a"), init("i2")};
    const auto first = next_bundle(init_first);
    REQUIRE(first);
    CHECK(first->mode == RunMode::init);
    CHECK(ids(*first) == Ids{"i1", "i2"});

    const std::vector api_first{api("a"), init("i"), hook("h")};
    const auto second = next_bundle(api_first);
    REQUIRE(second);
    CHECK(second->mode == RunMode::normal);
    CHECK(ids(*second) == Ids{"a", "h"});
}

TEST_CASE("a rerun goes alone, in its turn, with the mode of what it repeats", "[scheduler]") {
    auto rerun = trigger("r", TriggerSource::manual, RunMode::webhook);
    rerun.rerun = true;
    const auto first = next_bundle(std::vector{rerun, api("a"), hook("h")});
    REQUIRE(first);
    CHECK(first->rerun);
    CHECK(ids(*first) == Ids{"r"});
    CHECK(first->mode == RunMode::webhook);
    const auto others = next_bundle(std::vector{api("a"), rerun, hook("h")});
    REQUIRE(others);
    CHECK_FALSE(others->rerun);
    CHECK(ids(*others) == Ids{"a", "h"});
    CHECK(ids(*next_bundle(std::vector{rerun, cron("c")})) == Ids{"c"});  // crons come first
}

TEST_CASE("a bundle has a limit and leaves the rest waiting", "[scheduler]") {
    std::vector<WaitingTrigger> waiting;
    for (std::size_t i = 0; i < limits::kTriggersPerRun + 5; ++i)
        waiting.push_back(api(std::to_string(i)));
    const auto bundle = next_bundle(waiting);
    REQUIRE(bundle);
    CHECK(bundle->triggers.size() == limits::kTriggersPerRun);
    CHECK(bundle->triggers.front().str() == "0");
}

TEST_CASE("a bundle's payload files have a limit, but one trigger always runs", "[scheduler]") {
    std::vector<WaitingTrigger> waiting;
    for (int i = 0; i < 3; ++i) {
        waiting.push_back(api(std::to_string(i)));
        waiting.back().body_bytes = limits::kTriggerFilesBytes / 2;
    }
    const auto two = next_bundle(waiting);
    REQUIRE(two);
    CHECK(ids(*two) == Ids{"0", "1"});
    waiting[0].body_bytes = limits::kTriggerFilesBytes + 1;
    const auto one = next_bundle(waiting);
    REQUIRE(one);
    CHECK(ids(*one) == Ids{"0"});
}
