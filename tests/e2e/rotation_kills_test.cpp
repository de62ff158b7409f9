// S7 with the real daemons: root, key-encryption and data keys are rotated under many secrets
// while one of them is opened all the time, and berthd and the runner are killed at random
// points. BERTH_ROTATION_KILLS and BERTH_ROTATION_SECRETS say how many (reliability.md: 1,000 and
// 10,000). No run is needed to open a secret: a delivery that comes again is checked by its key,
// and starts nothing.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>

#include "base/crypto.h"
#include "base/file.h"
#include "tests/e2e/hooked.h"
#include "tests/e2e/opened_store.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFields = 50;  // of a connection

std::size_t wanted(const char* variable, std::size_t otherwise) {
    const char* given = std::getenv(variable);
    return given != nullptr ? std::strtoul(given, nullptr, 10) : otherwise;
}

// A root key's file that takes the place of another, with its owner.
void put_key(const fs::path& path, const std::string& bytes, const struct stat& owner) {
    const auto next = path.string() + ".next";
    std::ofstream{next, std::ios::binary} << bytes;
    REQUIRE(::chown(next.c_str(), owner.st_uid, owner.st_gid) == 0);
    fs::permissions(next, fs::perms::owner_read);
    fs::rename(next, path);
}

class World {
public:
    explicit World(std::size_t secrets) {
        Daemon& daemon = hooked.daemon;
        daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
        daemon.must("PUT",
                    fmt::format("/v2/integrations/{}/connectors/crm", hooked.made.integration),
                    json::object());
        expected[fmt::format("{}/hub/access_token", hooked.made.tenant)] = "ghp_token";
        expected[fmt::format("{}/hub/webhook_secret", hooked.made.tenant)] = Hooked::kSecret;
        while (expected.size() < secrets) {
            const std::int64_t tenant =
                daemon.must("POST", "/v2/tenants",
                            {{"name", fmt::format("t{}", expected.size())},
                             {"integration_id", hooked.made.integration}})["id"];
            json fields = json::object();
            for (std::size_t i = 0; i < kFields; ++i) {
                const auto value = fmt::format("value {} of tenant {}", i, tenant);
                fields[fmt::format("f{}", i)] = value;
                expected[fmt::format("{}/crm/f{}", tenant, i)] = value;
            }
            daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/crm/connection", tenant),
                        {{"secrets", fields}});
        }
    }

    json view() { return hooked.daemon.must("GET", "/v2/vault"); }
    bool rotating() {
        const json rotation = view()["rotation"];
        return rotation.is_object() && rotation["finished_date"].is_null();
    }
    // One daemon may be away, or the runner may not have its keys yet.
    void begin(const std::string& what) {
        if (what == "root") replace_root();
        REQUIRE(eventually([&] {
            return hooked.daemon.request("POST", "/v2/vault/rotations", {{"what", what}}).status ==
                   202;
        }));
        ++rotations;
    }
    // The same delivery once more: 200 says that the runner has opened the key and that it is
    // the right one. Whoever is away is another matter: the provider is told to come again.
    void open_one() {
        const std::string body = "{\"n\": 1}";
        const auto answer = hooked.post(hooked.path, body, Hooked::signed_by_github(body, "same"));
        if (!answer || answer->status == 503) {
            ++away;
        } else {
            CHECK(answer->status == 200);
            (answer->status == 200 ? opened : refused) += 1;
        }
    }
    std::string root_key() const { return read_file(key_, 64).value(); }

    std::size_t rotations = 0, opened = 0, refused = 0, away = 0;
    std::map<std::string, std::string> expected;

private:
    // The one before is the previous one from now on, whenever the runner dies.
    void replace_root() {
        const json before = view()["root_key"];
        struct stat owner {};
        REQUIRE(::stat(key_.c_str(), &owner) == 0);
        put_key(previous_, root_key(), owner);
        put_key(key_, random_bytes(32), owner);
        REQUIRE(eventually([&] {
            const pid_t runner = hooked.daemon.pid_of("berth-runner");
            return runner > 0 && ::kill(runner, SIGHUP) == 0;
        }));
        REQUIRE(eventually([&] { return view()["root_key"] != before; }));
    }
    static fs::path with_some_key(const fs::path& folder) {
        fs::permissions(folder, fs::perms{0755});
        write_file_atomically(folder / "previous.key", random_bytes(32), 0400);
        return folder / "previous.key";
    }

    TempDir folder_{"berth-previous"};
    fs::path previous_ = with_some_key(folder_.path());

public:
    Hooked hooked{"true", "pool_size = 0\nwebhook_rate = 1000000\nprevious_root_keys = " +
                              previous_.string() + "\n"};

private:
    fs::path key_ = hooked.daemon.state_dir() / "keys" / "root.key";
};

}  // namespace

TEST_CASE("daemons are killed at random points of rotations, and every secret still opens",
          "[e2e][rotation_kills]") {
    BERTH_NEEDS_SANDBOX();
    auto random = seeded_random("daemons killed at random points of rotations");
    const auto kills = wanted("BERTH_ROTATION_KILLS", 10);
    World world{wanted("BERTH_ROTATION_SECRETS", 300)};
    Daemon& daemon = world.hooked.daemon;
    REQUIRE(world.hooked.deliver("{\"n\": 1}", "same").status == 200);
    world.hooked.last_run();  // a live run keeps what it may be taken over with
    const char* const kWhat[] = {"data", "kek", "root", "data"};

    const auto start = std::chrono::steady_clock::now();
    for (std::size_t kill = 0; kill < kills; ++kill) {
        if (!world.rotating()) world.begin(kWhat[below(random, std::size(kWhat))]);
        for (auto left = below(random, 100); left > 0; --left)
            world.open_one();
        daemon.kill_daemon(below(random, 2) == 0 ? "berthd" : "berth-runner");
        daemon.wait_ready();
    }
    REQUIRE(eventually([&] { return !world.rotating(); }));
    // A last one of each, with nobody killed, after which there is nothing of before.
    for (const char* what : {"root", "kek", "data"}) {
        world.begin(what);
        do {
            world.open_one();
        } while (world.rotating());
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    REQUIRE(eventually([&] { return world.view()["key_encryption_keys"].size() == 1; }));
    const json view = world.view();
    CHECK(view["retired_data_keys"] == 0);
    CHECK(view["secrets_under_retired_keys"] == 0);
    daemon.stop(SIGTERM);

    // With the last root key alone.
    const auto store = open_store(daemon.state_dir() / "store", world.root_key());
    INFO("the first: " << (store.unreadable.empty() ? "" : store.unreadable.front()));
    CHECK(store.unreadable.empty());
    CHECK(store.values == world.expected);
    CHECK(store.under_lost_keys == 0);
    CHECK(store.data_keys == store.scopes);
    CHECK(store.keks == 1);
    std::cout << fmt::format(
        "{} kills during {} rotations of {} secrets in {:.0f} s ({:.0f} kills a minute): {} "
        "unreadable; opened {} times meanwhile ({:.0f} a second), {} refused, {} times a daemon "
        "was away\n",
        kills, world.rotations, store.values.size(), took.count(),
        60.0 * static_cast<double>(kills) / took.count(), store.unreadable.size(), world.opened,
        static_cast<double>(world.opened) / took.count(), world.refused, world.away);
    CHECK(world.refused == 0);
    CHECK(world.opened > 0);
    // The control: with another root key nothing opens.
    const auto other = open_store(daemon.state_dir() / "store", random_bytes(32));
    CHECK(other.values.empty());
    CHECK(other.unreadable.size() == 1);
}
