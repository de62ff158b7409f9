// Followers of logs, over a real log store: each sees every piece once, in order, and
// none is kept when it has left.
#include "daemon/log_hub.h"

#include <catch2/catch.hpp>

#include "base/file.h"
#include "model/limits.h"
#include "tests/support/run_loop.h"

using namespace berth;

namespace {

const Time kNow = time_from_micros(1'800'000'000'000'000);
const RunId kRun{7};

LogChunk chunk(std::uint64_t seq) {
    LogChunk made;
    made.run_id = kRun;
    made.seq = seq;
    made.time = kNow;
    made.bytes = "line " + std::to_string(seq) + "\n";
    return made;
}

RunView view(RunState state) {
    RunView made;
    made.run.id = kRun;
    made.run.state = state;
    made.run.created = kNow;
    if (is_final(state)) made.run.completed = kNow;
    return made;
}

struct Heard {
    std::vector<std::uint64_t> seqs;
    int ends = 0;
    std::string broken;
    bool room = true;
    std::function<void()> tell_room;
};

class Ear final : public LogFollower {
public:
    explicit Ear(Heard& heard) : heard_{heard} {}
    void chunk(const LogChunk& chunk) override { heard_.seqs.push_back(chunk.seq); }
    void end(const RunView&) override { ++heard_.ends; }
    void broken(const Failure& why) override { heard_.broken = why.message; }
    bool has_room() override { return heard_.room; }
    void on_room(std::function<void()> tell) override { heard_.tell_room = std::move(tell); }

private:
    Heard& heard_;
};

struct World {
    TempDir dir{"berth-hub"};
    Loop loop;
    LogStore logs{dir.path() / "logs", loop};
    LogHub hub{logs};

    void store(std::uint64_t from, std::uint64_t to) {
        std::vector<LogChunk> chunks;
        for (auto seq = from; seq <= to; ++seq)
            chunks.push_back(chunk(seq));
        bool stored = false;
        logs.append(std::move(chunks), [&](Result<void> done) {
            REQUIRE(done);
            stored = true;
        });
        test::run_until(loop, [&] { return stored; });
    }
    FollowHandle follow(Heard& heard, RunState state, std::uint64_t after = 0) {
        auto handle = hub.watch(kRun, after, std::make_shared<Ear>(heard));
        hub.begin(handle, view(state), kNow);
        return handle;
    }
};

std::vector<std::uint64_t> counted(std::uint64_t to, std::uint64_t from = 1) {
    std::vector<std::uint64_t> all;
    for (auto i = from; i <= to; ++i)
        all.push_back(i);
    return all;
}

}  // namespace

TEST_CASE("a follower between print and store sees every piece once", "[daemon]") {
    World w;
    w.store(1, 3);
    w.hub.publish(chunk(4));  // not stored yet
    Heard heard;
    const auto handle = w.follow(heard, RunState::running);
    w.hub.publish(chunk(5));  // while what is stored is being read
    w.store(4, 5);
    w.hub.stored(kRun, 5);
    test::run_until(w.loop, [&] { return heard.seqs.size() >= 5; });
    w.hub.publish(chunk(6));
    w.hub.end(view(RunState::succeeded));
    CHECK(heard.seqs == counted(6));
    CHECK(heard.ends == 1);
    CHECK(w.hub.followers() == 0);
}

TEST_CASE("a follower of an ended run reads it and is told of its end once", "[daemon]") {
    World w;
    w.store(1, 200);  // several pages
    Heard heard;
    const auto handle = w.follow(heard, RunState::succeeded, /*after=*/20);
    test::run_until(w.loop, [&] { return heard.ends > 0; });
    CHECK(heard.seqs == counted(200, 21));
    w.hub.end(view(RunState::succeeded));
    CHECK(heard.ends == 1);
}

TEST_CASE("a slow follower is given no more than it takes, and then all of it", "[daemon]") {
    World w;
    w.store(1, 200);
    Heard heard;
    heard.room = false;
    const auto handle = w.follow(heard, RunState::running);
    bool turned = false;
    w.logs.read({.run = kRun, .from = kNow, .to = kNow}, [&](auto) { turned = true; });
    test::run_until(w.loop, [&] { return turned; });  // its own page has been read before
    w.hub.publish(chunk(201));
    CHECK(heard.seqs.empty());
    heard.room = true;
    heard.tell_room();
    test::run_until(w.loop, [&] { return heard.seqs.size() >= 201; });
    CHECK(heard.seqs == counted(201));
    w.hub.end(view(RunState::cancelled));
    CHECK(heard.ends == 1);
}

TEST_CASE("a follower that has left is forgotten, also one of an ended run", "[daemon]") {
    World w;
    w.store(1, 2);
    Heard heard;
    for (int i = 0; i < 50; ++i)
        w.follow(heard, i % 2 == 0 ? RunState::running : RunState::succeeded).reset();
    CHECK(w.hub.followers() <= 1);
    w.hub.publish(chunk(3));
    CHECK(w.hub.followers() == 0);
    bool turned = false;
    w.logs.read({.run = kRun, .from = kNow, .to = kNow}, [&](auto) { turned = true; });
    test::run_until(w.loop, [&] { return turned; });
    CHECK(heard.seqs.empty());
    CHECK(heard.ends == 0);
}

TEST_CASE("a page that cannot be read ends the following, without a gap", "[daemon]") {
    World w;
    std::filesystem::create_directory(w.dir.path() / "logs" / (to_utc_day(kNow) + ".db"));
    w.hub.publish(chunk(9));
    Heard heard;
    const auto handle = w.follow(heard, RunState::running);
    test::run_until(w.loop, [&] { return !heard.broken.empty(); });
    CHECK_THAT(heard.broken, Catch::Contains("cannot read logs"));
    w.hub.publish(chunk(10));
    w.hub.end(view(RunState::succeeded));
    CHECK(heard.seqs.empty());
    CHECK(heard.ends == 0);
}
