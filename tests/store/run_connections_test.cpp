// Whom a run spoke to, on its record: fenced by the attempt, and bounded.
#include "store/run_connections.h"

#include "store/runs.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

struct World {
    TestDb db = make_db();
    Tenant acme = add_world(db);
    Release release = add_release(db, acme.integration_id, std::string(64, 'c'));
    Run run = must(begin_run(db, acme.id, release.id, RunMode::normal, {}, kNow));
};

RunConnection to(const std::string& name, std::uint16_t port, const std::string& refused = "") {
    RunConnection connection;
    connection.time = kNow;
    connection.name = name;
    connection.address = "192.0.2.7";
    connection.port = port;
    connection.sent_bytes = 17;
    connection.received_bytes = std::uint64_t{5} << 32;
    connection.refused = refused;
    return connection;
}

}  // namespace

TEST_CASE("what a run connected to is on its record, in order", "[store]") {
    World w;
    CHECK(must(add_run_connections(w.db, w.run.id, 1, {to("api.example.com", 443)})) == 0);
    CHECK(must(add_run_connections(w.db, w.run.id, 1, {to("", 22, "it is a private address")})) ==
          0);
    const auto all = must(list_run_connections(w.db, w.run.id, {}));
    REQUIRE(all.size() == 2);
    CHECK(all[0].run_id == w.run.id);
    CHECK(all[0].attempt == 1);
    CHECK(all[0].time == kNow);
    CHECK(all[0].name == "api.example.com");
    CHECK(all[0].address == "192.0.2.7");
    CHECK(all[0].port == 443);
    CHECK(all[0].sent_bytes == 17);
    CHECK(all[0].received_bytes == std::uint64_t{5} << 32);
    CHECK(all[0].refused.empty());
    CHECK(all[1].name.empty());
    CHECK(all[1].refused == "it is a private address");

    Page second;
    second.skip = 1;
    second.limit = 1;
    CHECK(must(list_run_connections(w.db, w.run.id, second)).at(0).port == 22);
    Page by_port;
    by_port.sort_field = "port";
    CHECK(must(list_run_connections(w.db, w.run.id, by_port)).at(0).port == 22);
    Page wrong;
    wrong.sort_field = "refused";
    CHECK_FAILS(list_run_connections(w.db, w.run.id, wrong), FailureKind::unprocessable, "sort");
}

TEST_CASE("an attempt that has been given up adds no connection", "[store]") {
    World w;
    must(add_run_connections(w.db, w.run.id, 1, {to("one", 443)}));
    w.db.db->exec("update runs set attempt = 2 where id = $1", {w.run.id});
    CHECK_FAILS(add_run_connections(w.db, w.run.id, 1, {to("late", 443)}), FailureKind::conflict,
                "is at attempt 2; what attempt 1 says no longer counts");
    must(add_run_connections(w.db, w.run.id, 2, {to("two", 443)}));
    CHECK(must(list_run_connections(w.db, w.run.id, {})).size() == 2);
    CHECK_FAILS(add_run_connections(w.db, RunId{999}, 1, {to("x", 1)}), FailureKind::not_found,
                "there is no run '999'");
    CHECK_FAILS(list_run_connections(w.db, RunId{999}, {}), FailureKind::not_found,
                "there is no run '999'");
}

TEST_CASE("a flood of connections ends at the limit, and is counted", "[store]") {
    World w;
    const std::vector most(kConnectionRows - 1, to("flood", 443));
    CHECK(must(add_run_connections(w.db, w.run.id, 1, most)) == 0);
    CHECK(must(add_run_connections(w.db, w.run.id, 1, {to("last", 443), to("cut", 443)})) == 1);
    CHECK(must(add_run_connections(w.db, w.run.id, 1, {to("cut", 443)})) == 1);
    CHECK(count(w.db, "run_connections") == static_cast<std::int64_t>(kConnectionRows));
    Page end;
    end.skip = static_cast<std::int64_t>(kConnectionRows) - 1;
    CHECK(must(list_run_connections(w.db, w.run.id, end)).at(0).name == "last");
}
