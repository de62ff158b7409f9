// Which complete sandboxes are kept, for which requests, and for how long.
#include "sandbox/runner/shelf.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>

#include "base/pipe.h"
#include "sandbox/runner/record.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace berth::runner;
using namespace std::chrono_literals;

namespace {

struct Time final : Clock {
    berth::Time now() const override { return {}; }
    SteadyTime steady() const override { return at; }
    SteadyTime at{1h};
};

ipc::BuildRequest request(const char* release) {
    ipc::BuildRequest request;
    std::strcpy(request.kind.runtime, "host");
    std::strcpy(request.assignment.release, release);
    return request;
}

std::uint64_t serial_of(const std::optional<Sandbox>& taken) {
    return taken ? taken->name.serial : 0;
}

std::string release_of(const std::optional<ipc::BuildRequest>& wish) {
    return wish ? wish->assignment.release : "";
}

bool any(const ipc::Class&) { return true; }

struct Shelves {
    explicit Shelves(std::uint32_t pool_size) { shelf.open(pool_size); }
    Sandbox sandbox(std::uint64_t serial) {
        auto status = make_seqpacket_pair();
        Sandbox sandbox;
        sandbox.name.serial = serial;
        sandbox.status = std::move(status.a);
        pid_1[serial] = std::move(status.b);
        return sandbox;
    }
    void await_deaths(int wanted) {
        test::run_until(loop, [&] { return deaths == wanted; });
    }
    Loop loop;
    Time time;
    int deaths = 0;
    std::map<std::uint64_t, Fd> pid_1;  // its end of the status socket
    Shelf shelf{loop, time, [this] { ++deaths; }};
};

}  // namespace

TEST_CASE("a complete sandbox serves an equal request, once, and no other", "[runner]") {
    Shelves with{8};
    with.shelf.put(request("r1"), with.sandbox(7));
    auto other = request("r1");
    SECTION("another release") { other = request("r2"); }
    SECTION("another limit") { other.assignment.limits.processes = 5; }
    SECTION("another folder") { other.assignment.writable[0] = 'w'; }
    SECTION("another network") { other.kind.network = ipc::Network::egress; }
    SECTION("another grant") { other.kind.grants = ipc::grant_extra_syscalls; }
    CHECK_FALSE(with.shelf.take(other));
    auto same = request("r1");
    same.id = 99;  // the runner's number for it
    CHECK(serial_of(with.shelf.take(same)) == 7);
    CHECK_FALSE(with.shelf.take(same));
}

TEST_CASE("half as many are complete as are parked of a class, and none without a pool",
          "[runner]") {
    for (const auto& [pool_size, most] : {std::pair{8U, 4U}, {3U, 2U}, {1U, 1U}, {0U, 0U}}) {
        Shelves with{pool_size};
        CHECK(with.shelf.most() == most);
        for (unsigned i = 0; i < 2 * most + 1; ++i)
            with.shelf.wish(request("r1"));
        std::size_t granted = 0;
        while (with.shelf.next_wish(granted, any))
            ++granted;
        CHECK(granted == most);
    }
}

TEST_CASE("wishes are granted once, the newest first, and only what can be made", "[runner]") {
    Shelves with{8};
    with.shelf.wish(request("r1"));
    auto host = request("r2");
    host.kind.network = ipc::Network::host;
    with.shelf.wish(host);
    with.shelf.wish(request("r3"));
    const auto not_host = [](const ipc::Class& kind) { return kind.network != ipc::Network::host; };
    CHECK(release_of(with.shelf.next_wish(0, not_host)) == "r3");
    CHECK(release_of(with.shelf.next_wish(1, not_host)) == "r1");
    CHECK_FALSE(with.shelf.next_wish(2, not_host));
    CHECK(release_of(with.shelf.next_wish(2, any)) == "r2");
    CHECK_FALSE(with.shelf.next_wish(3, any));
}

TEST_CASE("a full shelf makes room for what is newer only after a minute", "[runner]") {
    Shelves with{4};
    with.shelf.put(request("r1"), with.sandbox(1));
    with.time.at += 30s;
    with.shelf.put(request("r2"), with.sandbox(2));
    with.time.at += 29s;
    with.shelf.wish(request("r3"));
    CHECK_FALSE(with.shelf.next_wish(0, any));
    with.time.at += 1s;
    CHECK(release_of(with.shelf.next_wish(0, any)) == "r3");
    with.shelf.wish(request("r4"));
    CHECK_FALSE(with.shelf.next_wish(1, any));  // for one alone
    with.shelf.put(request("r3"), with.sandbox(3));
    CHECK(with.shelf.size() == 2);
    CHECK_FALSE(with.shelf.take(request("r1")));
    CHECK(serial_of(with.shelf.take(request("r2"))) == 2);
    CHECK(serial_of(with.shelf.take(request("r3"))) == 3);
}

TEST_CASE("a complete sandbox that nobody wants is let go after ten minutes", "[runner]") {
    Shelves with{4};
    CHECK_FALSE(with.shelf.next_change());
    with.shelf.put(request("r1"), with.sandbox(1));
    with.time.at += 1min;
    with.shelf.put(request("r1"), with.sandbox(2));
    CHECK(with.shelf.next_change() == 9min);
    with.time.at += 9min - 1us;
    with.shelf.let_go_of_old();
    CHECK(with.shelf.size() == 2);
    with.time.at += 1us;
    with.shelf.let_go_of_old();
    CHECK(with.shelf.size() == 1);
    CHECK(serial_of(with.shelf.take(request("r1"))) == 2);
}

TEST_CASE("runs take the youngest, and the oldest go first", "[runner]") {
    Shelves with{8};
    for (std::uint64_t serial = 1; serial <= 4; ++serial)
        with.shelf.put(request("r1"), with.sandbox(serial));
    CHECK(with.shelf.let_go(1) == 1);
    CHECK(serial_of(with.shelf.take(request("r1"))) == 4);
    CHECK(with.shelf.let_go(1) == 1);
    CHECK(serial_of(with.shelf.take(request("r1"))) == 3);
    CHECK(with.shelf.let_go(5) == 0);
}

TEST_CASE("a launcher that comes anew finds the shelf empty, wishes included", "[runner]") {
    Shelves with{4};
    with.shelf.put(request("r1"), with.sandbox(1));
    with.shelf.wish(request("r1"));
    with.shelf.open(4);
    CHECK(with.shelf.size() == 0);
    CHECK_FALSE(with.shelf.next_wish(0, any));
}

TEST_CASE("a complete sandbox that ends is not kept, and is wished for again", "[runner]") {
    Shelves with{8};
    with.shelf.put(request("r1"), with.sandbox(1));
    with.shelf.put(request("r2"), with.sandbox(2));
    SECTION("its pid 1 is gone") { with.pid_1.erase(1); }
    SECTION("its pid 1 tells of the end of its pid 2") {
        REQUIRE(send_record(with.pid_1[1].get(), ipc::EndReport{}) == 0);
    }
    with.await_deaths(1);
    CHECK(with.shelf.size() == 1);
    CHECK_FALSE(with.shelf.take(request("r1")));
    CHECK(release_of(with.shelf.next_wish(0, any)) == "r1");
    CHECK(serial_of(with.shelf.take(request("r2"))) == 2);
}

TEST_CASE("one that was taken, and then ends, is not the shelf's any more", "[runner]") {
    Shelves with{8};
    with.shelf.put(request("r1"), with.sandbox(1));
    with.shelf.put(request("r2"), with.sandbox(2));
    const auto taken = with.shelf.take(request("r1"));
    with.pid_1.erase(1);
    with.pid_1.erase(2);
    with.await_deaths(1);
    CHECK(release_of(with.shelf.next_wish(0, any)) == "r2");
    CHECK_FALSE(with.shelf.next_wish(0, any));
}

TEST_CASE("what dies again and again is replaced until a run asks anew", "[runner]") {
    Shelves with{4};
    const auto replaced = [&](std::uint64_t serial) {
        with.shelf.put(request("r1"), with.sandbox(serial));
        with.pid_1.erase(serial);
        with.await_deaths(static_cast<int>(serial));
        return with.shelf.next_wish(0, any).has_value();
    };
    CHECK(replaced(1));
    CHECK(replaced(2));
    CHECK_FALSE(replaced(3));
    CHECK_FALSE(replaced(4));
    with.shelf.wish(request("r2"));
    CHECK(release_of(with.shelf.next_wish(0, any)) == "r2");
    CHECK(replaced(5));
}
