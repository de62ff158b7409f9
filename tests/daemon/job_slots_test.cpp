// Which job may begin, whoever hangs.
#include "daemon/job_slots.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace berth;

namespace {

Job job(JobProgram program, int partner, int connection) {
    Job made;
    made.program = program;
    made.connector = ConnectorId{partner};
    made.connection = ConnectionId{connection};
    return made;
}

// Of as many connections as there is room for.
std::vector<Job> take_all(JobSlots& slots, JobProgram program, int partner) {
    std::vector<Job> taken;
    for (int connection = 100 * partner;; ++connection) {
        const Job next = job(program, partner, connection);
        if (!slots.has_room(next)) return taken;
        slots.take(next);
        taken.push_back(next);
    }
}

}  // namespace

TEST_CASE("whoever hangs has his own places only", "[job_slots]") {
    using enum JobProgram;
    JobSlots slots;
    const auto calls = take_all(slots, call, 1);
    CHECK(calls.size() == JobSlots::kOfPartner);
    CHECK(take_all(slots, oauth, 1).size() == JobSlots::kOfPartner);  // his renewals, too
    CHECK(slots.has_room(job(call, 2, 1)));
    CHECK(take_all(slots, call, 2).size() == JobSlots::kCalls - JobSlots::kOfPartner);
    CHECK_FALSE(slots.has_room(job(call, 3, 2)));
    // A provider and the partners of all calls hang: everybody else's tokens are renewed.
    CHECK(slots.has_room(job(oauth, 3, 3)));
    CHECK(slots.in_flight() == JobSlots::kCalls + JobSlots::kOfPartner);
    CHECK(take_all(slots, oauth, 3).size() == JobSlots::kOfPartner);
    CHECK(slots.in_flight() == limits::kJobs);
    CHECK_FALSE(slots.has_room(job(oauth, 4, 4)));
    for (const Job& one : calls)
        slots.give_back(one);
    CHECK(slots.has_room(job(oauth, 4, 4)));
    CHECK(slots.has_room(job(call, 1, 100)));
}

TEST_CASE("exchanges leave room for calls, and a connection has so many of both", "[job_slots]") {
    using enum JobProgram;
    JobSlots slots;
    std::size_t exchanges = 0;
    for (int partner = 1; partner <= 5; ++partner)
        exchanges += take_all(slots, oauth, partner).size();
    CHECK(exchanges == JobSlots::kExchanges);
    CHECK(slots.has_room(job(call, 6, 1)));

    JobSlots others;
    for (std::size_t i = 0; i < limits::kJobsOfConnection; ++i) {
        // Of any partner: what is counted here is the connection.
        const Job one = job(i % 2 == 0 ? call : oauth, static_cast<int>(i), 7);
        REQUIRE(others.has_room(one));
        others.take(one);
    }
    CHECK_FALSE(others.has_room(job(oauth, 50, 7)));
    CHECK(others.has_room(job(oauth, 50, 8)));
}

TEST_CASE("exchanges go first, then whose partner has the fewest", "[job_slots]") {
    using enum JobProgram;
    JobSlots slots;
    slots.take(job(oauth, 1, 1));
    CHECK(slots.goes_before(job(oauth, 1, 2), job(call, 2, 3)));
    CHECK_FALSE(slots.goes_before(job(call, 2, 3), job(oauth, 1, 2)));
    CHECK(slots.goes_before(job(oauth, 2, 3), job(oauth, 1, 2)));
    CHECK_FALSE(slots.goes_before(job(oauth, 2, 3), job(oauth, 3, 4)));  // who came first
    CHECK_FALSE(slots.goes_before(job(oauth, 3, 4), job(oauth, 2, 3)));
}
