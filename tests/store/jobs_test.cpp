// The records of jobs.
#include "store/jobs.h"

#include "store/connections.h"
#include "store/connectors.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

struct World {
    World() {
        tenant = add_world(db);
        must(create_connector(db, kBy, "crm", "custom"));
        must(attach_connector(db, kBy, tenant.integration_id, {"crm", false}));
        crm = must(open_connection(db, kBy, {tenant.integration_id, tenant.id}, "crm")).id;
    }
    JobId begin(const std::string& purpose = "refresh") {
        return must(begin_job(db, kBy, {crm, "berth-oauth", purpose}));
    }
    TestDb db = make_db();
    Tenant tenant;
    ConnectionId crm;
};

}  // namespace

TEST_CASE("a job is on record from its beginning to its end", "[store][jobs]") {
    World world;
    const JobId id = world.begin();
    auto job = must(get_job(world.db, id));
    CHECK(job.state == JobState::running);
    CHECK(job.connection_id == world.crm);
    CHECK(job.connector_name == "crm");
    CHECK(job.integration_id == world.tenant.integration_id);
    CHECK(job.tenant_id == world.tenant.id);
    CHECK(job.actor == "uid 0");
    CHECK_FALSE(job.completed);

    JobEnd end;
    end.log = std::string{"a\0b\xff", 4};
    end.user_us = 5;
    RunConnection connection;
    connection.name = "api.example.com";
    connection.time = kNow;
    connection.port = 443;
    end.connections = {connection};
    const Time later = kNow + std::chrono::seconds{3};
    job = must(end_job(world.db, id, end, later));
    CHECK(job.state == JobState::succeeded);
    CHECK(job.completed == later);
    CHECK(job.log == end.log);
    REQUIRE(job.connections.size() == 1);
    CHECK(job.connections[0].name == "api.example.com");
    CHECK(job.connections[0].time == kNow);

    // The first end counts.
    end.state = JobState::failed;
    end.reason = "later";
    CHECK(must(end_job(world.db, id, end, later)).state == JobState::succeeded);
    CHECK_FAILS(get_job(world.db, JobId{99}), FailureKind::not_found, "there is no job '99'");
    CHECK_FAILS(end_job(world.db, JobId{99}, end, later), FailureKind::not_found, "'99'");
    CHECK_FAILS(begin_job(world.db, kBy, {ConnectionId{99}, "p", "q"}), FailureKind::not_found,
                "there is no connection '99'");
}

TEST_CASE("running jobs that nobody has are lost, until one is found again", "[store][jobs]") {
    World world;
    const JobId lost = world.begin(), live = world.begin();
    CHECK(lose_jobs(world.db, {live}, "gone", kNow) == 1);
    CHECK(must(get_job(world.db, lost)).state == JobState::lost);
    CHECK(must(get_job(world.db, lost)).reason == "gone");
    CHECK(must(get_job(world.db, live)).state == JobState::running);
    CHECK(lose_jobs(world.db, {live}, "gone", kNow) == 0);
    CHECK(must(end_job(world.db, lost, {}, kNow)).state == JobState::succeeded);
    CHECK(must(get_job(world.db, lost)).reason.empty());
}

TEST_CASE("jobs are listed by tenant and state, and forgotten when they are old", "[store][jobs]") {
    World world;
    const JobId a = world.begin("a"), b = world.begin("b"), c = world.begin("c");
    must(end_job(world.db, a, {}, kNow));
    JobEnd failed;
    failed.state = JobState::failed;
    must(end_job(world.db, b, failed, kNow + std::chrono::hours{1}));
    Page page;
    const auto listed = [&](JobQuery query) {
        std::string names;
        for (const JobView& job : must(list_jobs(world.db, query, page)))
            names += job.purpose;
        return names;
    };
    CHECK(listed({}) == "abc");
    CHECK(listed({world.tenant.id, {}, {}}) == "abc");
    CHECK(listed({TenantId{99}, {}, {}}).empty());
    CHECK(listed({{}, world.crm, JobState::failed}) == "b");
    page.sort_field = "created_date";
    page.descending = true;
    CHECK(listed({}) == "cba");
    page.sort_field = "log";
    CHECK_FAILS(list_jobs(world.db, {}, page), FailureKind::unprocessable, "cannot sort by 'log'");
    page.sort_field.clear();
    page.descending = false;

    const Time cut = kNow + std::chrono::hours{2};
    CHECK(forget_jobs(world.db, kNow, 10) == 0);
    CHECK(forget_jobs(world.db, cut, 1) == 1);
    CHECK(listed({}) == "bc");
    CHECK(forget_jobs(world.db, cut, 10) == 1);
    CHECK(listed({}) == "c");  // it runs still
    CHECK(must(get_job(world.db, c)).state == JobState::running);
}
