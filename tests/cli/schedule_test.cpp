// `berth schedule explain`, exactly as a person sees it. No daemon is asked.
#include <catch2/catch.hpp>

#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

Ran explain(std::vector<std::string> arguments) {
    std::vector<std::string> command{"schedule", "explain"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.insert(command.end(), {"--now", "2027-03-27T12:00:00Z"});
    return run_berth("/nowhere", std::move(command));
}

void expect(std::vector<std::string> arguments, const std::string& golden) {
    const Ran ran = explain(std::move(arguments));
    CHECK(ran.exit == Exit::ok);
    CHECK((ran.err.empty() || ran.err.starts_with("zone data: ")));
    check_golden(golden, ran.out);
}

}  // namespace

TEST_CASE("a fixed time is explained with what clock changes do to it", "[cli]") {
    expect({"30 2 * * *", "--tz", "Europe/Berlin"}, "schedule_fixed.txt");
}

TEST_CASE("the explanation follows the rule that was chosen", "[cli]") {
    expect({"30 2 * 3 SUNL", "--tz", "Europe/Berlin", "--gap", "skip", "--overlap", "both"},
           "schedule_never.txt");
}

TEST_CASE("a wildcard, an interval and jitter are explained", "[cli]") {
    expect({"*/15 9-17 * * MON-FRI", "--tz", "America/New_York", "--count", "3"},
           "schedule_wildcard.txt");
    expect({"@every 90m", "--count", "3", "--jitter", "5m", "--tenant", "7"},
           "schedule_interval.txt");
    const Ran nobody = explain({"0 * * * *", "--jitter", "5m"});
    CHECK_THAT(nobody.out, Contains("each tenant starts up to 5 min after these times"));
}

TEST_CASE("the explanation is JSON for programs", "[cli]") {
    const Ran ran = explain({"0 2 * * *", "--tz", "Europe/Berlin", "--count", "1", "--json"});
    CHECK(ran.exit == Exit::ok);
    for (const char* part : {"\"words\": \"at 02:00 every day\"", "\"kind\": \"gap_made_up\"",
                             "\"utc\": \"2027-03-28T01:00:00Z\"", "\"rule\": \"shifted\""})
        CHECK_THAT(ran.out, Contains(part));
}

TEST_CASE("a fault in a schedule is marked below it", "[cli]") {
    const Ran ran = explain({"0 25 * * *"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.out.empty());
    CHECK(ran.err ==
          "berth: cannot read the schedule: hour 25 is out of range: write 0 to 23\n"
          "         0 25 * * *\n"
          "           ^^\n");
}

TEST_CASE("a mark stands right below characters of any width, and nothing is let through",
          "[cli]") {
    const Ran ran = explain({"0 0 \x1b日 * *"});
    CHECK_THAT(ran.err, Contains("         0 0 \\x1b日 * *\n             ^^^^\n"));
}

TEST_CASE("other faults of an explanation name their cure", "[cli]") {
    const Ran zone = explain({"0 2 * * *", "--tz", "berlin"});
    CHECK(zone.exit == Exit::failed);
    CHECK_THAT(zone.err, Contains("there is no time zone 'berlin'") && Contains("Europe/Berlin"));
    const Ran rule = explain({"0 2 * * *", "--gap", "first"});
    CHECK(rule.exit == Exit::usage);
    const Ran seconds = explain({"*/10 * * * * *"});
    CHECK_THAT(seconds.err, Contains("six fields begin with the second"));
    CHECK(explain({"*/10 * * * * *", "--seconds"}).exit == Exit::ok);
    const Ran window = explain({"0 2 * * *", "--jitter", "5"});
    CHECK(window.exit == Exit::usage);
    CHECK_THAT(window.err, Contains("a unit is missing here"));
    const Ran long_text = explain({std::string(1000, '*')});
    CHECK_THAT(long_text.err, Contains("longer than 256 bytes") && !Contains("***"));
}
