// The vault in the real daemons: rotation while runs start and either daemon is killed, an old
// copy of the store, the root key by command, deletion for ever.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>

#include "base/crypto.h"
#include "base/text.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/seed.h"

using namespace berth::test;

namespace {

namespace fs = std::filesystem;

// Only a sum of the secret leaves the script.
const std::string kSums =
    "for n in A B C; do printenv PAN_SEC_CRM_$n | tr -d '\\n' | sha256sum |"
    " cut -c1-64; done";

std::string sums_of(const std::vector<std::string>& values) {
    std::string text;
    for (const std::string& value : values)
        text += berth::to_hex(berth::sha256(value)) + "\n";
    return text;
}

struct Shop {
    explicit Shop(Daemon& to, int tenants = 1) : daemon{to} {
        daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
        const auto made =
            daemon.install("shop", {{"PANDIUM.yaml", manifest(kSums)}},
                           {{"connectors", {{{"name", "crm"}, {"isGlobal", false}}}}});
        integration = made.integration;
        ids.push_back(made.tenant);
        while (static_cast<int>(ids.size()) < tenants)
            ids.push_back(daemon.must("POST", "/v2/tenants",
                                      {{"name", "t" + std::to_string(ids.size())},
                                       {"integration_id", integration}})["id"]);
        for (std::size_t i = 0; i < ids.size(); ++i)
            connect(i, {"canary-one-" + std::to_string(i), "canary-two-" + std::to_string(i),
                        "canary-three-" + std::to_string(i)});
    }
    void connect(std::size_t tenant, std::vector<std::string> given) {
        daemon.must("PUT",
                    "/v2/tenants/" + std::to_string(ids[tenant]) + "/connectors/crm/connection",
                    {{"secrets", {{"a", given[0]}, {"b", given[1]}, {"c", given[2]}}}});
        values.resize(ids.size());
        values[tenant] = std::move(given);
    }
    // How its run ended; "succeeded" only when it had the right secrets.
    std::string outcome(std::size_t tenant) {
        const json run = daemon.run(ids[tenant]);
        if (run["state"] != "succeeded") return run["state"].get<std::string>() + ": " + run.dump();
        const auto out = daemon.run_log(run["id"], "stdout");
        return out.starts_with(sums_of(values[tenant])) ? "succeeded" : "wrong secrets";
    }

    Daemon& daemon;
    std::int64_t integration = 0;
    std::vector<std::int64_t> ids;
    std::vector<std::vector<std::string>> values;
};

bool over(Daemon& daemon) {
    const json vault = daemon.must("GET", "/v2/vault");
    return vault["rotation"].is_object() && !vault["rotation"]["finished_date"].is_null();
}

std::size_t audit_rows(Daemon& daemon, const std::string& action) {
    std::size_t count = 0;
    for (const json& row : daemon.must("GET", "/v2/audit?limit=500"))
        count += row["action"] == action ? 1U : 0U;
    return count;
}

}  // namespace

TEST_CASE("keys are rotated while runs start, and daemons are killed", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    auto random = seeded_random("daemons killed during a rotation");
    Daemon daemon;
    Shop shop{daemon, 4};
    int runs = 0, kills = 0;
    for (int round = 0; round < 10; ++round) {
        const char* what = round % 2 == 0 ? "data" : "kek";
        const json begun = daemon.must("POST", "/v2/vault/rotations", {{"what", what}});
        CHECK(begun["rotation"]["what"] == what);
        const auto victim = below(random, 2) == 0 ? "berthd" : "berth-runner";
        daemon.kill_daemon(victim);
        daemon.wait_ready();
        ++kills;
        REQUIRE(shop.outcome(below(random, 4)) == "succeeded");
        ++runs;
        REQUIRE(eventually([&] { return over(daemon); }));
    }
    const json vault = daemon.must("GET", "/v2/vault");
    CHECK(vault["retired_data_keys"] == 0);
    CHECK(vault["secrets"] == 12);
    for (std::size_t tenant = 0; tenant < 4; ++tenant)
        CHECK(shop.outcome(tenant) == "succeeded");
    std::cout << "rotations with a kill: " << kills << ", runs meanwhile: " << runs
              << ", unreadable secrets: 0\n";
}

TEST_CASE("a new root key takes over, and the old one is not needed", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    Shop shop{daemon};
    const std::string before = daemon.must("GET", "/v2/vault")["root_key"];
    daemon.stop(SIGTERM);

    const auto keys = daemon.state_dir() / "keys";
    const auto settings = daemon.root() / "berth.conf";
    const auto write_key = [&](const fs::path& path) {
        std::ofstream{path, std::ios::binary} << berth::random_bytes(32);
        fs::permissions(path, fs::perms::owner_read);
    };
    write_key(keys / "root-2.key");
    std::ofstream{settings, std::ios::app}
        << "root_key = " << (keys / "root-2.key").string() << '\n'
        << "previous_root_keys = " << (keys / "root.key").string() << '\n';
    daemon.start();
    CHECK(shop.outcome(0) == "succeeded");
    json vault = daemon.must("GET", "/v2/vault");
    CHECK(vault["root_key"] != before);
    CHECK(vault["previous_root_keys"] == json{before});
    daemon.must("POST", "/v2/vault/rotations", {{"what", "root"}});
    REQUIRE(eventually([&] { return over(daemon); }));
    daemon.stop(SIGTERM);

    fs::remove(keys / "root.key");
    daemon.start();
    CHECK(shop.outcome(0) == "succeeded");
}

TEST_CASE("a root key that was replaced is taken by a reload, and the runner goes on", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    Shop shop{daemon};
    const std::string before = daemon.must("GET", "/v2/vault")["root_key"];
    const auto key = daemon.state_dir() / "keys" / "root.key";
    const pid_t runner = daemon.pid_of("berth-runner");
    struct stat owner {};
    REQUIRE(::stat(key.c_str(), &owner) == 0);
    const auto put = [&](const std::string& bytes, fs::perms mode) {
        const auto next = key.string() + ".next";
        std::ofstream{next, std::ios::binary} << bytes;
        REQUIRE(::chown(next.c_str(), owner.st_uid, owner.st_gid) == 0);
        fs::permissions(next, mode);
        fs::rename(next, key);
        REQUIRE(::kill(runner, SIGHUP) == 0);
    };
    const auto view = [&] { return daemon.must("GET", "/v2/vault"); };

    put("not a key", fs::perms::owner_read);  // changes nothing
    REQUIRE(eventually([&] {
        return daemon.log().find("the root key is not taken, the one there is stays") !=
               std::string::npos;
    }));
    CHECK(view()["root_key"] == before);
    CHECK(shop.outcome(0) == "succeeded");

    put(berth::random_bytes(32), fs::perms::owner_read);
    REQUIRE(eventually([&] { return view()["root_key"] != before; }));
    CHECK(view()["previous_root_keys"] == json{before});
    CHECK(shop.outcome(0) == "succeeded");
    daemon.must("POST", "/v2/vault/rotations", {{"what", "root"}});
    REQUIRE(eventually([&] { return over(daemon); }));
    CHECK(daemon.pid_of("berth-runner") == runner);
    daemon.kill_daemon("berth-runner");  // the next one has the new key alone
    daemon.wait_ready();
    CHECK(view()["previous_root_keys"] == json::array());
    CHECK(shop.outcome(0) == "succeeded");
}

TEST_CASE("an old copy of the store is refused until the restore is accepted", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    Shop shop{daemon};
    const auto old = shop.values[0];
    REQUIRE(shop.outcome(0) == "succeeded");
    daemon.stop(SIGTERM);
    const auto store = daemon.state_dir() / "store";
    const auto copy = daemon.root() / "copy";
    fs::copy(store, copy, fs::copy_options::recursive);

    daemon.start();
    shop.connect(0, {"newer-one", "newer-two", "newer-three"});
    REQUIRE(shop.outcome(0) == "succeeded");
    daemon.stop(SIGTERM);

    // Put back with the owner that the files had.
    struct stat owner {};
    REQUIRE(::stat(store.c_str(), &owner) == 0);
    fs::remove_all(store);
    fs::copy(copy, store, fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator{store})
        REQUIRE(::chown(entry.path().c_str(), owner.st_uid, owner.st_gid) == 0);
    REQUIRE(::chown(store.c_str(), owner.st_uid, owner.st_gid) == 0);
    daemon.start();
    shop.values[0] = old;
    const auto refused = shop.outcome(0);
    CHECK_THAT(refused, Catch::StartsWith("failed_platform"));
    CHECK_THAT(refused, Catch::Contains("are an old copy"));
    CHECK_THAT(refused, Catch::Contains("berth vault accept-restore"));
    CHECK(audit_rows(daemon, "secret.refused") == 1);

    daemon.must("POST", "/v2/vault/accept-restore");
    CHECK(audit_rows(daemon, "vault.accept_restore") == 1);
    CHECK(shop.outcome(0) == "succeeded");
}

TEST_CASE("the root key comes from a command", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const berth::TempDir root{"berth-e2e"};
    const auto hook = root.path() / "hook";
    std::ofstream{hook} << "#!/bin/sh\nprintf %s \"$1\"\n";
    fs::permissions(hook, fs::perms{0755});
    Daemon daemon{root.path(), "root_key_command = " + hook.string() + ' ' +
                                   berth::to_hex(berth::random_bytes(32)) + '\n'};
    daemon.start();
    Shop shop{daemon};
    CHECK(shop.outcome(0) == "succeeded");
    daemon.kill_daemon("berth-runner");
    daemon.wait_ready();
    CHECK(shop.outcome(0) == "succeeded");
}

TEST_CASE("a tenant that is deleted for ever leaves nothing that opens", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    Shop shop{daemon, 2};
    REQUIRE(shop.outcome(0) == "succeeded");
    const auto one = "/v2/tenants/" + std::to_string(shop.ids[0]);
    CHECK(daemon.must("DELETE", one + "/data")["deleted"] == true);
    const json tenant = daemon.must("GET", one);
    CHECK(tenant["archived"] == true);
    CHECK(tenant["name"] == "deleted " + std::to_string(shop.ids[0]));
    const auto back = daemon.request("PATCH", one, {{"archived", false}});
    CHECK(back.status == 409);
    CHECK(daemon.must("GET", "/v2/vault")["secrets"] == 3);
    CHECK(shop.outcome(1) == "succeeded");
    CHECK(audit_rows(daemon, "tenant.delete") == 1);
}
