// The pool's decisions, without a kernel.
#include <getopt.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "sandbox/launcher/options.h"
#include "sandbox/launcher/pool.h"

using namespace berth;

namespace {

using launcher::Parked;
using launcher::Pool;

ipc::Class kind(ipc::Network network) {
    ipc::Class made;
    made.network = network;
    std::strcpy(made.runtime, "host");
    return made;
}

Parked parked(Pool& pool, unsigned slot, ipc::Network network, std::int64_t since_ms = 0) {
    Parked one;
    one.slot = slot;
    one.serial = pool.next_serial();
    one.kind = kind(network);
    one.since_ms = since_ms;
    return one;
}

// As berth-launcher understands its command line.
unsigned pool_size(std::vector<std::string> words) {
    words.insert(words.begin(), {"berth-launcher", "--runner-fd", "3", "--releases", "/r",
                                 "--first-uid", "100000", "--runner-uid", "1"});
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    launcher::Options options;
    ::optind = 0;  // anew
    REQUIRE(launcher::parse_options(static_cast<int>(words.size()), argv.data(), options));
    return options.pool;
}

}  // namespace

TEST_CASE("the pool's size is told, or comes from the number of processors", "[pool]") {
    const auto usual = 4 * static_cast<unsigned>(::get_nprocs());
    CHECK(pool_size({"--slots", "4096"}) == std::min(usual, 1024U));
    CHECK(pool_size({"--slots", "4096", "--pool", "3"}) == 3);
    CHECK(pool_size({"--slots", "4096", "--pool", "0"}) == 0);
    CHECK(pool_size({"--slots", "8", "--pool", "3"}) == 2);  // a quarter of the slots at most
}

TEST_CASE("the pool wants as many of each class as its size, those on their way counted",
          "[pool]") {
    Pool pool{{.size = 2}};
    const auto none = kind(ipc::Network::none);
    CHECK_FALSE(pool.missing({}, 0));
    pool.want(none, {});
    CHECK(pool.missing({}, 0));
    CHECK(pool.missing({none}, 0));
    CHECK_FALSE(pool.missing({none, none}, 0));
    pool.add(parked(pool, 1, ipc::Network::none));
    CHECK(pool.missing({}, 0));
    CHECK_FALSE(pool.missing({none}, 0));
}

TEST_CASE("of two classes the emptier one is filled first", "[pool]") {
    Pool pool{{.size = 2}};
    pool.want(kind(ipc::Network::none), {});
    pool.want(kind(ipc::Network::egress), {});
    pool.add(parked(pool, 1, ipc::Network::none));
    const auto missing = pool.missing({}, 0);
    REQUIRE(missing);
    CHECK(missing->kind.network == ipc::Network::egress);
}

TEST_CASE("replacements wait a moment after a take, unless the pool runs low", "[pool]") {
    Pool pool{{.size = 4, .pause_ms = 3}};
    pool.want(kind(ipc::Network::none), {});
    std::uint64_t serial = 0;
    for (unsigned slot = 0; slot < 4; ++slot) {
        Parked one = parked(pool, slot, ipc::Network::none);
        serial = one.serial;
        pool.add(std::move(one));
    }
    REQUIRE(pool.take(3, serial, 100));
    CHECK_FALSE(pool.missing({}, 102));
    CHECK(pool.next_change_ms({}, 102) == 103);
    CHECK(pool.missing({}, 103));
    REQUIRE(pool.take(2, serial - 1, 110));
    REQUIRE(pool.take(1, serial - 2, 110));
    CHECK(pool.missing({}, 110));
}

TEST_CASE("a taken or dead one cannot be taken again, nor by another serial", "[pool]") {
    Pool pool{{.size = 2}};
    Parked one = parked(pool, 5, ipc::Network::none);
    const std::uint64_t serial = one.serial;
    pool.add(std::move(one));
    CHECK_FALSE(pool.take(5, serial + 1, 0));
    CHECK_FALSE(pool.take(4, serial, 0));
    CHECK(pool.take(5, serial, 0));
    CHECK_FALSE(pool.take(5, serial, 0));
    pool.add(parked(pool, 6, ipc::Network::none));
    CHECK(pool.died(6) == serial + 1);
    CHECK_FALSE(pool.died(6));
    CHECK_FALSE(pool.take(6, serial + 1, 0));
}

TEST_CASE("the oldest retires first, once, and only at its age", "[pool]") {
    Pool pool{{.size = 2, .max_age_ms = 100}};
    pool.add(parked(pool, 1, ipc::Network::none, 0));
    pool.add(parked(pool, 2, ipc::Network::none, 50));
    CHECK_FALSE(pool.retire_expired(99));
    CHECK(pool.next_change_ms({}, 99) == 100);
    const auto first = pool.retire_expired(100);
    REQUIRE(first);
    CHECK(first->slot == 1);
    CHECK_FALSE(pool.retire_expired(100));
    CHECK(pool.any_retiring());
    CHECK(pool.take(1, first->serial, 101));  // the runner took it before it heard
}

TEST_CASE("after a sandbox could not be built the pool waits before it tries again", "[pool]") {
    Pool pool{{.size = 1, .retry_ms = 1000}};
    pool.want(kind(ipc::Network::none), {});
    pool.build_failed(10);
    CHECK_FALSE(pool.missing({}, 1009));
    CHECK(pool.next_change_ms({}, 11) == 1010);
    CHECK(pool.missing({}, 1010));
}
