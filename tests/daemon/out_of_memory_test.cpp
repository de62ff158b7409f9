// Requests that meet the end of memory at their N-th allocation, and starts that do: berthd
// leaves at once, the next one finds what was acknowledged and no half of anything.
// BERTH_FAULTS=full: at every N instead of some.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/pack.h"
#include "store/db_sqlite.h"
#include "tests/daemon/starved.h"
#include "tests/faults/model.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

// `{n}` is another number each time, `{s}` a small one. `status` is the one without a fault.
struct Ask {
    const char* method;
    const char* target;
    const char* body;
    int status;
};

// A tenant 1 of integration 1, which has a release; 2 and 3 are spare.
constexpr Ask kAsks[] = {
    {"GET", "/v2/health", "", 200},
    {"GET", "/v2/doctor", "", 200},
    {"GET", "/v2/vault", "", 200},
    {"GET", "/v2/audit?limit=5", "", 200},
    {"POST", "/v2/audit/verify", "", 200},
    {"GET", "/metrics", "", 200},
    {"GET", "/v2/ready", "", 503},
    {"GET", "/v2/integrations?limit=5", "", 200},
    {"GET", "/v2/integrations/1", "", 200},
    {"GET", "/v2/integrations/1/releases?limit=5", "", 200},
    {"GET", "/v2/integrations/1/releases/default", "", 200},
    {"GET", "/v2/connector-kinds", "", 200},
    {"GET", "/v2/connectors", "", 200},
    {"GET", "/v2/tenants?limit=5", "", 200},
    {"GET", "/v2/tenants/1", "", 200},
    {"GET", "/v2/tenants/1/runs", "", 200},
    {"GET", "/v2/tenants/1/metadata", "", 200},
    {"GET", "/v2/tenants/1/connectors", "", 200},
    {"GET", "/v2/jobs", "", 200},
    {"GET", "/v2/schedules", "", 200},
    {"GET", "/v2/tenants/1/schedule", "", 200},
    {"GET", "/v2/tenants/1/schedule/history", "", 200},
    {"GET", "/v2/tenants/1/schedule/preview?count=10", "", 200},
    {"GET", "/v2/integrations/1/policy", "", 200},
    {"GET", "/v2/runs", "", 200},
    {"GET", "/v2/integrations/1/connectors/shop/provisioning", "", 200},
    {"POST", "/v2/backup", "", 200},

    {"POST", "/v2/integrations", R"({"name":"made-{n}","connectors":[{"name":"shop"}]})", 200},
    {"PATCH", "/v2/integrations/2", R"({"long_name":"called {n}"})", 200},
    {"POST", "/v2/connectors", R"({"name":"connector-{n}"})", 200},
    {"PUT", "/v2/integrations/2/connectors/shop", R"({"isGlobal":false})", 200},
    {"PUT", "/v2/integrations/1/policy", R"({"most_running":{s}})", 200},
    {"POST", "/v2/integrations/1/releases?name=r{n}", "(a folder)", 200},
    {"POST", "/v2/tenants", R"({"name":"tenant-{n}","integration_id":1})", 200},
    {"PATCH", "/v2/tenants/1", R"({"name":"called-{n}"})", 200},
    {"PATCH", "/v2/tenants/1", R"({"configs":{"number":{n}}})", 200},
    {"PATCH", "/v2/tenants/1/metadata", R"({"key-{n}":{"of":[1,2,{n}]}})", 422},
    {"DELETE", "/v2/tenants/3", "", 200},
    {"PUT", "/v2/tenants/1/schedule", R"({"text":"0 0 29 2 *","jitter_seconds":{s}})", 200},
    {"PUT", "/v2/tenants/2/schedule", R"({"text":"@yearly","zone":"Europe/Berlin"})", 200},
    {"POST", "/v2/tenants/1/auth-link", "", 201},
    {"GET", "/v2/tenants/1/auth-link", "", 200},
    {"DELETE", "/v2/tenants/1/auth-link", "", 204},
    {"POST", "/v2/tenants/1/sync?mode=normal", "", 202},
    {"POST", "/v2/tenants/1/sync?mode=normal", R"({"order":{n},"lines":["a","b","c"]})", 202},
    {"POST", "/v2/tenants/1/sync?mode=normal", R"({"once":{n}})", 202},  // with a key
    {"POST", "/v2/tenants/2/run?mode=init", "", 202},
    {"POST", "/v2/integrations/1/sync?mode=normal&user_name=somebody", "{}", 202},

    {"GET", "/v2/nothing", "", 404},
    {"DELETE", "/v2/health", "", 405},
    {"GET", "/v2/runs?limit=0", "", 422},
    {"GET", "/v2/runs/999999", "", 404},
    {"GET", "/v2/runs/triggers/none/status", "", 404},
    {"POST", "/v2/integrations", R"({"name":""})", 422},
    {"POST", "/v2/integrations", R"({"name":)", 400},
    {"POST", "/v2/integrations", R"({"name":"world"})", 409},
    {"POST", "/v2/tenants/999999/sync?mode=normal", "", 404},
    {"PUT", "/v2/tenants/1/schedule", R"({"text":"61 * * * *"})", 422},
    {"PUT", "/v2/tenants/1/connectors/shop/connection", R"({"secrets":{"key":"pa55word"}})", 503},
    {"POST", "/v2/vault/rotations", R"({"what":"kek"})", 503},
};
static_assert(std::size(kAsks) == 60);

std::string with_number(std::string text, int number) {
    for (auto at = text.find("{n}"); at != text.npos; at = text.find("{n}"))
        text.replace(at, 3, std::to_string(number));
    if (const auto at = text.find("{s}"); at != text.npos)
        text.replace(at, 3, std::to_string(number % 1'000 + 1));
    return text;
}

class World {
public:
    World() {
        berthd.start();
        const std::string_view integration =
            R"({"name":"world","connectors":[{"name":"shop","isGlobal":false}]})";
        make("/v2/connectors", R"({"name":"shop"})");
        make("/v2/integrations", integration);
        make("/v2/integrations", R"({"name":"spare"})");
        REQUIRE(upload("/v2/integrations/1/releases?default=true")->status == 200);
        for (const char* name : {"one", "two", "three"})
            make("/v2/tenants",
                 fmt::format(R"({{"name":"{0}","user_name":"{1}","integration_id":1}})", name,
                             std::string_view{name} == "one" ? "somebody" : name));
    }

    // Nothing: berthd went before it answered.
    std::optional<ClientResponse> ask(const Ask& what) {
        ++number_;
        const auto target = with_number(what.target, number_);
        auto answer =
            std::string_view{what.body} == "(a folder)" ? upload(target) : send(what, target);
        if (!answer) return {};
        if (answer->status == 202)
            acknowledged_.insert(nlohmann::json::parse(answer->body)["trigger_id"]);
        return std::move(*answer);
    }

    // How many triggers that were acknowledged are not there.
    std::size_t lost() const {
        auto db = SqliteDb::open(berthd.store(), SqliteDb::Access::read_only);
        REQUIRE(db);
        std::set<std::string> there;
        for (const Row& row : (*db)->query("select id from triggers"))
            there.insert(row.text(0));
        return static_cast<std::size_t>(std::ranges::count_if(
            acknowledged_, [&](const auto& trigger) { return !there.contains(trigger); }));
    }
    const auto& acknowledged() const { return acknowledged_; }

    Starved berthd;

private:
    Result<ClientResponse> send(const Ask& what, const std::string& target) {
        Client client{berthd.socket()};
        const auto body = with_number(what.body, number_);
        ClientHeaders headers;
        if (body.find("\"once\"") != body.npos)
            headers.emplace_back("idempotency-key", fmt::format("key-{}", number_));
        return client.request(what.method, target, body, headers);
    }
    Result<ClientResponse> upload(const std::string& target) {
        const TempDir folder{"berth-starved-release"};
        std::ofstream{folder.path() / "PANDIUM.yaml"} << "version: 1.0\nbase: sh\nrun: echo "
                                                      << number_ << "\nconfigs: {}\n";
        const auto tar = berthd.root() / "release.tar";
        const Fd file{::open(tar.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
        REQUIRE(pack_directory(folder.path(), file.get()));
        REQUIRE(::lseek(file.get(), 0, SEEK_SET) == 0);
        Client client{berthd.socket()};
        return client.upload("POST", target, file.get(), "application/x-tar");
    }
    void make(const char* target, std::string_view body) {
        const auto answer = Client{berthd.socket()}.request("POST", target, body);
        REQUIRE(answer);
        INFO(target << ": " << answer->body);
        REQUIRE(answer->ok());
    }

    int number_ = 0;
    std::set<std::string> acknowledged_;
};

// Rows more than before, by table; those that are the same in number are left out.
using Change = std::map<std::string, std::int64_t>;
Change change_of(const Look& from, const Look& to) {
    Change change;
    for (const auto& [table, rows] : to.rows)
        if (const auto before = from.rows.find(table);
            before == from.rows.end() || before->second != rows)
            change[table] = rows - (before == from.rows.end() ? 0 : before->second);
    return change;
}

std::string to_text(const Change& change) {
    std::string text = "nothing more";
    for (const auto& [table, rows] : change)
        text += fmt::format(", {} {}", rows, table);
    return text;
}

// What asking does when memory is not short: twice, since the first time may do more.
struct Usual {
    std::set<Change> changes;
    bool only_reads = true;
    std::int64_t allocations = 0;
};
Usual rehearse(World& world, const Ask& ask) {
    Usual usual;
    for (int times = 0; times < 2; ++times) {
        const Look before = world.berthd.look();
        world.berthd.count();
        const auto answer = world.ask(ask);
        usual.allocations = std::max(usual.allocations, world.berthd.allocations());
        INFO(ask.method << ' ' << ask.target);
        if (!answer) FAIL(world.berthd.said());
        INFO(answer->body);
        CHECK(answer->status == ask.status);
        const Look after = world.berthd.look();
        usual.changes.insert(change_of(before, after));
        usual.only_reads = usual.only_reads && before.print == after.print;
    }
    return usual;
}

bool all_of_them() { return std::getenv("BERTH_FAULTS") != nullptr; }

// From 1 to `last`: all, or one of each of `some` parts.
std::vector<std::int64_t> moments(std::int64_t last, std::int64_t some, std::mt19937_64& random) {
    std::vector<std::int64_t> chosen;
    const auto part = all_of_them() ? 1 : std::max<std::int64_t>(last / some, 1);
    for (std::int64_t from = 1; from <= last; from += part)
        chosen.push_back(from +
                         static_cast<std::int64_t>(below(random, static_cast<std::size_t>(part))));
    return chosen;
}

struct Sums {
    int tried = 0, met = 0, answered = 0, done = 0, not_done = 0;
};

// One request with memory that ends at its N-th allocation.
void starve(World& world, const Ask& ask, const Usual& usual, std::int64_t n, Sums& sums) {
    INFO(ask.method << " " << ask.target << ", allocation " << n << " of " << usual.allocations);
    const Look before = world.berthd.look();
    world.berthd.fail_at(n);
    const auto answer = world.ask(ask);
    ++sums.tried;
    if (world.berthd.enough()) {
        ++sums.met;
        CHECK(WTERMSIG(world.berthd.wait()) == SIGABRT);
        world.berthd.start();
    } else {
        REQUIRE(answer);
    }
    const Look after = world.berthd.look();
    const Change change = change_of(before, after);
    INFO("found " << to_text(change));
    for (const std::string& rule : after.broken)
        FAIL_CHECK(rule);
    if (answer) {
        ++sums.answered;
        CHECK(answer->status == ask.status);
        CHECK(usual.changes.contains(change));
    } else if (before.print == after.print) {
        ++sums.not_done;
    } else {
        ++sums.done;
        CHECK_FALSE(usual.only_reads);
        CHECK(usual.changes.contains(change));
    }
}

}  // namespace

TEST_CASE("whichever allocation of a request fails, berthd leaves nothing half done",
          "[out_of_memory]") {
    auto random = seeded_random("out of memory");
    World world;
    Sums sums;
    std::int64_t allocations = 0;
    for (const Ask& ask : kAsks) {
        const Usual usual = rehearse(world, ask);
        allocations += usual.allocations;
        const bool often = std::string_view{ask.target} == "/v2/tenants/1/sync?mode=normal";
        for (const auto n : moments(usual.allocations, often ? 8 : 2, random))
            starve(world, ask, usual, n, sums);
    }
    std::cout << fmt::format(
        "{} of the {} allocations of {} requests tried, {} failed; of the requests {} were "
        "answered, {} without an answer were done, {} were not; {} triggers acknowledged\n",
        sums.tried, allocations, std::size(kAsks), sums.met, sums.answered, sums.done,
        sums.not_done, world.acknowledged().size());
    CHECK(sums.met > sums.tried / 2);
    CHECK(sums.not_done > 0);
    CHECK(world.lost() == 0);
    CHECK(world.berthd.said().find("berthd: out of memory, leaving to be started again\n") !=
          std::string::npos);
    // Nothing leaks on the way out of one that was not short of memory.
    const int code = world.berthd.stop();
    INFO(world.berthd.said());
    CHECK(code == 0);

    // The control: what is looked at tells of an acknowledged trigger that has gone.
    REQUIRE_FALSE(world.acknowledged().empty());
    {
        auto db = SqliteDb::open(world.berthd.store(), SqliteDb::Access::read_write);
        REQUIRE(db);
        (*db)->exec("delete from triggers where id = $1", {*world.acknowledged().rbegin()});
        CHECK_FALSE(broken_rules(**db).empty());
    }
    CHECK(world.lost() == 1);
}

TEST_CASE("whichever allocation of a start fails, the next start finds all there is",
          "[out_of_memory]") {
    auto random = seeded_random("out of memory at a start");
    World world;
    const Ask sync{"POST", "/v2/tenants/1/sync?mode=normal", "", 202};
    for (int times = 0; times < 5; ++times)
        REQUIRE(world.ask(sync));
    REQUIRE(world.berthd.stop() == 0);
    const Look before = world.berthd.look();
    world.berthd.count();
    world.berthd.start();
    const auto last = world.berthd.allocations();
    CHECK(world.berthd.look().print == before.print);
    int tried = 0;
    for (const auto n : moments(last, 8, random)) {
        INFO("allocation " << n << " of " << last);
        world.berthd.kill();
        world.berthd.start_short_of(n);
        CHECK(WTERMSIG(world.berthd.wait()) == SIGABRT);
        world.berthd.start();
        ++tried;
        const Look after = world.berthd.look();
        CHECK(after.print == before.print);
        CHECK(after.broken.empty());
    }
    std::cout << fmt::format("{} of the {} allocations of a start failed\n", tried, last);
    CHECK(world.lost() == 0);
    CHECK(world.ask(sync)->status == 202);
}
