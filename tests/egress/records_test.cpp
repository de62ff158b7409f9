// What a run's record says of its connections stays bounded, and loses no count.
#include "sandbox/egress/records.h"

#include <catch2/catch.hpp>

#include "model/limits.h"

using namespace berth;
using namespace berth::egress;

namespace {

ipc::Connection connection(const std::string& name, const std::string& refused = {}) {
    ipc::Connection made;
    made.run_id = 7;
    made.attempt = 2;
    made.name = name;
    made.port = 443;
    made.sent_bytes = refused.empty() ? 10 : 0;
    made.received_bytes = refused.empty() ? 100 : 0;
    made.refused = refused;
    return made;
}

}  // namespace

TEST_CASE("a refusal that repeats itself is told once, with its number", "[egress]") {
    std::vector<ipc::Connection> told;
    Records records{[&](const ipc::Connection& made) { told.push_back(made); }};
    for (int i = 0; i < 500; ++i)
        records.add(connection("inner", "a private address"));
    records.add(connection("other", "a private address"));
    REQUIRE(told.size() == 2);
    CHECK(told[0].refused == "a private address");
    CHECK(told[1].name == "other");
    records.finish();
    REQUIRE(told.size() == 3);
    CHECK(told[2].name == "inner");
    CHECK(told[2].refused == "a private address (499 more times)");
    records.finish();
    CHECK(told.size() == 3);
}

TEST_CASE("past the limit connections are counted", "[egress]") {
    std::vector<ipc::Connection> told;
    Records records{[&](const ipc::Connection& made) { told.push_back(made); }};
    for (std::size_t i = 0; i < limits::kRunConnections + 50; ++i)
        records.add(connection("a"));
    for (int i = 0; i < 20; ++i)
        records.add(connection("b" + std::to_string(i), "no"));
    CHECK(told.size() == limits::kRunConnections);
    records.finish();
    REQUIRE(told.size() == limits::kRunConnections + 2);
    const auto& rest = told[limits::kRunConnections];
    CHECK(rest.name == "50 more connections");
    CHECK(rest.run_id == 7);
    CHECK(rest.attempt == 2);
    CHECK(rest.sent_bytes == 500);
    CHECK(rest.received_bytes == 5000);
    CHECK(rest.refused.empty());
    CHECK(told.back().name == "20 more refusals");
    CHECK(told.back().refused == "not listed one by one");
}
