// From what a person types to the object that is meant.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

TEST_CASE("digits are an id and are not looked up", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/integrations/3", {200, R"({"id":3,"name":"shop-sync"})"});
    const Ran ran = run_berth(daemon, {"integration", "show", "3"});
    CHECK(ran.exit == Exit::ok);
    CHECK(daemon.asked().size() == 1);
}

TEST_CASE("a name is found on a later page", "[cli]") {
    FakeDaemon daemon;
    nlohmann::json first = nlohmann::json::array();
    for (int i = 1; i <= 500; ++i)
        first.push_back({{"id", i}, {"name", "t" + std::to_string(i)}});
    daemon.on("GET /v2/tenants?limit=500&skip=0", {200, first.dump()});
    daemon.on("GET /v2/tenants?limit=500&skip=500", {200, R"([{"id":501,"name":"acme"}])"});
    daemon.on("PATCH /v2/tenants/501", {200, R"({"id":501,"name":"acme","paused":true})"});
    const Ran ran = run_berth(daemon, {"tenant", "pause", "acme"});
    CHECK(ran.exit == Exit::ok);
    CHECK(daemon.only("PATCH", "/v2/tenants/501").body == R"({"paused":true})");
}

TEST_CASE("a name that fits several tenants is refused with the list of them", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants?limit=500&skip=0",
              {200, R"([{"id":7,"name":"acme","integration_id":1},
                        {"id":8,"name":"other","integration_id":1},
                        {"id":9,"name":"acme","integration_id":2,"user_name":"bob\u001b[2J"}])"});
    const Ran ran = run_berth(daemon, {"tenant", "sync", "acme"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.err ==
          "berth: 2 tenants are named 'acme'; say which by its id:\n"
          "         7  'acme' of integration 1\n"
          "         9  'acme' of integration 2, user 'bob\\x1b[2J'\n");
    for (const Asked& asked : daemon.asked())
        CHECK(asked.method == "GET");  // nothing was started
}

TEST_CASE("INTEGRATION/TENANT settles which one is meant", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/integrations?limit=500&skip=0",
              {200, R"([{"id":1,"name":"shop-sync"},{"id":2,"name":"crm"}])"});
    daemon.on("GET /v2/tenants?integration_id=2&limit=500&skip=0",
              {200, R"([{"id":9,"name":"acme","integration_id":2}])"});
    daemon.on("GET /v2/integrations/2", {200, R"({"id":2,"name":"crm"})"});
    const Ran ran = run_berth(daemon, {"tenant", "show", "crm/acme"});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.out, Contains("id           9\n"));
}

TEST_CASE("an archived tenant is found only when no live one has the name", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants?limit=500&skip=0", {200, "[]"});
    daemon.on("GET /v2/tenants?archived=true&limit=500&skip=0",
              {200, R"([{"id":4,"name":"old","archived":true}])"});
    daemon.on("PATCH /v2/tenants/4", {200, R"({"id":4,"name":"old","archived":false})"});
    CHECK(run_berth(daemon, {"tenant", "restore", "old"}).exit == Exit::ok);
    CHECK(daemon.only("PATCH", "/v2/tenants/4").body == R"({"archived":false})");
}

TEST_CASE("a name that nobody has says where to look", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/integrations?limit=500&skip=0", {200, "[]"});
    daemon.on("GET /v2/integrations?archived=true&limit=500&skip=0", {200, "[]"});
    const Ran ran = run_berth(daemon, {"integration", "show", "shop"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.err ==
          "berth: there is no integration named 'shop'; 'berth integration list' shows those there "
          "are\n");
}

TEST_CASE("a release is found by id, name, tag and by the words default and latest", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/integrations/1", {200, R"({"id":1,"name":"shop-sync"})"});
    daemon.on("GET /v2/integrations/1/releases",
              {200, R"([{"id":11,"name":"r1","tag":"beta"},{"id":12,"name":"r2","tag":"beta"}])"});
    for (const char* which : {"11", "default", "latest"})
        daemon.on(std::string{"GET /v2/integrations/1/releases/"} + which,
                  {200, R"({"id":11,"name":"r1"})"});
    for (const char* which : {"11", "default", "latest", "r1"})
        CHECK_THAT(run_berth(daemon, {"release", "show", "1", which}).out, Contains("id    11\n"));
    const Ran ran = run_berth(daemon, {"release", "show", "1", "beta"});
    CHECK(ran.exit == Exit::failed);
    CHECK_THAT(ran.err, Contains("2 releases are named 'beta'"));
}

TEST_CASE("what is typed cannot leave its place in the path", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants/1", {200, R"({"id":1,"name":"acme"})"});
    run_berth(daemon, {"connection", "disconnect", "1", "../../runs?x=1"});
    CHECK(daemon.only("PATCH", "/v2/").target ==
          "/v2/tenants/1/connectors/..%2F..%2Fruns%3Fx%3D1/disconnect");
}
