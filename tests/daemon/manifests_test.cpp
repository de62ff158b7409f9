// Secrets that were put back, changed or taken away past Berth are found before a run has them.
#include "daemon/manifests.h"

#include <iostream>

#include "store/connections.h"
#include "store/manifests.h"
#include "tests/daemon/key_house.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

std::string trouble(const std::optional<Failure>& failure) {
    return failure ? failure->message : std::string{};
}

constexpr const char* kChanged = "one was changed, taken away or put back past Berth";
constexpr const char* kOldCopy = "are an old copy";

// Rows of a table as they are now, to be put back later.
using Copy = std::vector<std::vector<Row::Value>>;
Copy copy_of(Db& db, const std::string& sql) {
    Copy copy;
    for (const Row& row : db.query(sql)) {
        std::vector<Row::Value> values;
        for (std::size_t i = 0; i < row.size(); ++i)
            values.push_back(row.is_integer(i) ? Row::Value{row.integer(i)}
                                               : Row::Value{row.text(i)});
        copy.push_back(std::move(values));
    }
    return copy;
}

constexpr const char* kSecretColumns =
    "select connection_id, field, version, envelope, key_id, salt from secrets";

void put_back(Db& db, const Copy& secrets) {
    for (const auto& row : secrets)
        db.exec(
            "update secrets set version = $3, envelope = $4, key_id = $5, salt = $6"
            " where connection_id = $1 and field = $2",
            {std::get<std::int64_t>(row[0]), std::get<std::string>(row[1]),
             std::get<std::int64_t>(row[2]), Bytes{std::get<std::string>(row[3])},
             std::get<std::int64_t>(row[4]), Bytes{std::get<std::string>(row[5])}});
}

struct Scope {
    Copy secrets, manifest;
};
Scope scope_now(Db& db) {
    return {copy_of(db, kSecretColumns),
            copy_of(db, "select scope_id, key_id, counter, mac from manifests")};
}
void put_back(Db& db, const Scope& scope) {
    put_back(db, scope.secrets);
    for (const auto& row : scope.manifest)
        db.exec("update manifests set key_id = $2, counter = $3, mac = $4 where scope_id = $1",
                {std::get<std::int64_t>(row[0]), std::get<std::int64_t>(row[1]),
                 std::get<std::int64_t>(row[2]), Bytes{std::get<std::string>(row[3])}});
}

}  // namespace

TEST_CASE("a row that is put back is found", "[manifest]") {
    KeyHouse house{1};
    house.fill();
    Copy old;
    house.tamper([&](Db& db) {
        old = copy_of(db, std::string{kSecretColumns} + " where field = 'field0'");
    });
    must(house.store(0, {{"field0", "newer"}}));
    house.values[0]["field0"] = "newer";
    REQUIRE(trouble(house.open(0)) == "");
    house.tamper([&](Db& db) { put_back(db, old); });
    const auto refused = house.open(0);
    REQUIRE(refused);
    CHECK(refused->kind == FailureKind::conflict);
    CHECK_THAT(refused->message, Catch::Contains(kChanged));
    // Nor can a write make it right.
    CHECK_FAILS(house.store(0, {{"field1", "x"}}), FailureKind::unavailable, kChanged);
}

TEST_CASE("a row that is taken away or moved is found", "[manifest]") {
    KeyHouse house{2};
    house.fill();
    const std::string how = GENERATE(
        "delete from secrets where field = 'field0' and connection_id = 1",
        "update secrets set version = version + 1 where field = 'field0' and connection_id = 1",
        "update secrets set envelope = (select envelope from secrets where field = 'field1' and"
        " connection_id = 1) where field = 'field0' and connection_id = 1",
        "delete from manifests where scope_id = 1",
        "update manifests set counter = counter + 1 where scope_id = 1",
        "update manifests set mac = zeroblob(32) where scope_id = 1",
        "update manifests set mac = (select mac from manifests where scope_id = 2),"
        " counter = (select counter from manifests where scope_id = 2) where scope_id = 1");
    INFO(how);
    REQUIRE(trouble(house.open(0)) == "");
    house.tamper([&](Db& db) { db.exec(how); });
    const auto refused = house.open(0);
    REQUIRE(refused);
    CHECK(refused->kind == FailureKind::conflict);
    CHECK(trouble(house.open(1)) == "");
}

TEST_CASE("a scope that is put back as a whole is found, until the restore is accepted",
          "[manifest]") {
    KeyHouse house{1};
    house.fill();
    Scope old;
    house.tamper([&](Db& db) { old = scope_now(db); });
    const auto before = house.values[0];
    must(house.store(0, {{"field0", "newer"}}));
    house.values[0]["field0"] = "newer";
    house.runner.restart();  // what it knows is in its file
    run_until(house.loop, [&] { return !house.daemon->link.ready(); });
    house.ready();
    REQUIRE(trouble(house.open(0)) == "");

    house.tamper([&](Db& db) { put_back(db, old); });
    const auto refused = house.open(0);
    REQUIRE(refused);
    CHECK(refused->kind == FailureKind::conflict);
    CHECK_THAT(refused->message, Catch::Contains(kOldCopy));
    CHECK_THAT(refused->message, Catch::Contains("berth vault accept-restore"));
    CHECK_FAILS(house.store(0, {{"field1", "x"}}), FailureKind::unavailable, kOldCopy);

    Wait<VaultView> wait{house.loop};
    house.daemon->vault.accept_restore({"uid 0"}, wait.callback());
    must(wait.get());
    house.values[0] = before;
    CHECK(trouble(house.open(0)) == "");
    must(house.store(0, {{"field1", "after the restore"}}));
    house.values[0]["field1"] = "after the restore";
    CHECK(trouble(house.open(0)) == "");
    CHECK(must(read_now(*house.daemon->store, house.loop, [](Db& db) {
              return db.must("select count(*) from audit where action = 'vault.accept_restore'")
                  .integer(0);
          })) == 1);
}

TEST_CASE("disconnecting takes the secrets off the list", "[manifest]") {
    KeyHouse house{1};
    house.fill();
    Wait<bool> wait{house.loop};
    house.daemon->keys.manifests().change<bool>(
        {KeyScope::Kind::tenant, house.tenants[0].value},
        [owner = ConnectionOwner{house.integration, house.tenants[0]}](Db& db) -> Result<bool> {
            auto gone = disconnect(db, kBy, owner, "crm");
            if (!gone) return pass_on(gone);
            return true;
        },
        wait.callback());
    must(wait.get());
    house.values[0].clear();
    CHECK(trouble(house.open(0)) == "");
    house.values[0]["again"] = "connected again";
    house.fill();
    CHECK(trouble(house.open(0)) == "");
}

// A job may have waited for its turn.
TEST_CASE("secrets that were sealed anew since they were read are taken as they are now",
          "[manifest]") {
    KeyHouse house{1};
    house.fill();
    auto secrets = must(read_now(*house.daemon->store, house.loop, [&](Db& db) {
        std::vector<ipc::RunSecret> all;
        for (const Row& row : db.query("select connector_id, field, version, envelope from secrets"
                                       " join connections on connections.id = connection_id"
                                       " order by field")) {
            ipc::RunSecret secret;
            secret.where = {{ipc::ScopeKind::tenant, house.tenants[0].value},
                            row.integer(0),
                            row.text(1),
                            static_cast<std::uint64_t>(row.integer(2))};
            secret.envelope = row.text(3);
            const auto key = must(
                data_key_of(db, {KeyScope::Kind::tenant, house.tenants[0].value}, secret.envelope));
            secret.data_key = {key.id, key.envelope};
            all.push_back(std::move(secret));
        }
        return all;
    }));
    const auto before = secrets;
    house.rotate_to_the_end({RotationKind::data, {}, {}});
    auto manifests = must(read_now(*house.daemon->store, house.loop,
                                   [&](Db& db) { return manifests_now(db, secrets); }));
    REQUIRE(manifests.size() == 1);
    const auto opened = must(house.runner.keys().open(secrets, manifests));
    CHECK(opened[0].reveal() == house.values[0]["field0"]);
    // The control: as they were read they are on no list any more.
    CHECK_FAILS(house.runner.keys().open(before, manifests), FailureKind::conflict,
                "is not on the list of tenant");
    // What was replaced by another value is not brought back, nor taken for it.
    must(house.store(0, {{"field0", "newer"}}));
    manifests = must(read_now(*house.daemon->store, house.loop,
                              [&](Db& db) { return manifests_now(db, secrets); }));
    CHECK_FAILS(house.runner.keys().open(secrets, manifests), FailureKind::conflict,
                "the secret 'field0' is not on the list of tenant");
}

TEST_CASE("a change that is refused changes nothing, and the next one is done", "[manifest]") {
    KeyHouse house{1};
    house.fill();
    Wait<bool> wait{house.loop};
    house.daemon->keys.manifests().change<bool>(
        {KeyScope::Kind::tenant, house.tenants[0].value},
        [](Db& db) -> Result<bool> {
            db.exec("delete from secrets");
            return fail(FailureKind::denied, "not now");
        },
        wait.callback());
    CHECK_FAILS(wait.get(), FailureKind::denied, "not now");
    CHECK(trouble(house.open(0)) == "");
    must(house.store(0, {{"field0", "next"}}));
    house.values[0]["field0"] = "next";
    CHECK(trouble(house.open(0)) == "");
}

TEST_CASE("many writes of one tenant at once are all there", "[manifest]") {
    KeyHouse house{1, 0};
    int done = 0;
    for (int i = 0; i < 30; ++i) {
        const auto field = fmt::format("field{}", i);
        std::map<std::string, Secret> secrets;
        secrets.emplace(field, Secret{"value " + field});
        house.values[0][field] = "value " + field;
        house.daemon->keys.store_secrets({"uid 0"}, {house.integration, house.tenants[0]}, "crm",
                                         std::move(secrets), [&](Result<Connection> stored) {
                                             must(std::move(stored));
                                             ++done;
                                         });
    }
    run_until(house.loop, [&] { return done == 30; });
    CHECK(trouble(house.open(0)) == "");
}

TEST_CASE("a store from before manifests gets them when it is first used", "[manifest]") {
    KeyHouse house{3};
    house.fill();
    house.tamper([&](Db& db) {
        db.exec("delete from manifests");
        house.runner.keys().accept_restore({});  // nor has the runner seen any
    });
    run_until(house.loop, [&] { return house.view().manifests == 3; });
    CHECK(trouble(house.open_all()) == "");
}

// S6: 1,000 rows and 100 scopes.
TEST_CASE("of 1,000 rows and 100 scopes that are put back all are found", "[manifest]") {
    auto random = seeded_random("rows put back");
    KeyHouse house{1, 20};
    house.fill();
    house.kill_daemon();
    int rows_found = 0, scopes_found = 0, rows = 0, scopes = 0;
    // Each round: remember the scope, change some fields, then put rows or all of it back.
    for (int round = 0; round < 100; ++round) {
        Scope old;
        {
            const auto db = connect_again(house.dir.path() / "store");
            old = scope_now(*db);
        }
        house.start_daemon();
        std::map<std::string, std::string> changed;
        while (changed.size() < 10)
            changed[fmt::format("field{}", below(random, 20))] = fmt::format("round {}", round);
        must(house.store(0, changed));
        for (const auto& [field, value] : changed)
            house.values[0][field] = value;
        REQUIRE(trouble(house.open(0)) == "");
        house.kill_daemon();

        const auto db = connect_again(house.dir.path() / "store");
        const Scope latest = scope_now(*db);
        const KeyScope scope{KeyScope::Kind::tenant, house.tenants[0].value};
        const auto found = [&] {
            auto manifest = must(manifest_of(*db, scope));
            std::vector<ipc::RunSecret> none;
            const auto opened = house.runner.keys().open(none, {manifest});
            return !opened && opened.error().kind == FailureKind::conflict;
        };
        for (const auto& row : old.secrets) {
            if (changed.count(std::get<std::string>(row[1])) == 0) continue;
            put_back(*db, Copy{row});
            ++rows;
            rows_found += found() ? 1 : 0;
            put_back(*db, latest.secrets);
        }
        put_back(*db, old);
        ++scopes;
        scopes_found += found() ? 1 : 0;
        put_back(*db, latest);
        REQUIRE_FALSE(found());  // the control: nothing is found where nothing was done
    }
    std::cout << "rows put back: " << rows << ", found " << rows_found << "; scopes: " << scopes
              << ", found " << scopes_found << '\n';
    CHECK(rows == 1000);
    CHECK(rows_found == rows);
    CHECK(scopes == 100);
    CHECK(scopes_found == scopes);
}
