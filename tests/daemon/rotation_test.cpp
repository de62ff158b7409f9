// Rotation of keys: with either side dying at every message and operation, and that nothing is
// left under an old key. While secrets are opened and written: rotation_load_test.cpp.
#include "daemon/rotation.h"

#include <iostream>

#include "store/connection_secrets.h"
#include "store/oauth_attempts.h"
#include "store/oauth_tokens.h"
#include "store/rotations.h"
#include "tests/daemon/key_house.h"

using namespace berth;
using namespace berth::test;

namespace {

std::string trouble(const std::optional<Failure>& failure) {
    return failure ? failure->message : std::string{};
}

std::int64_t rows(KeyHouse& house, const std::string& sql) {
    return must(read_now(*house.daemon->store, house.loop,
                         [sql](Db& db) { return db.must(sql).integer(0); }));
}

// All is as it was, and nothing hangs on what was before.
void check_rotated(KeyHouse& house, RotationKind kind) {
    CHECK(trouble(house.open_all()) == "");
    const VaultView view = house.view();
    REQUIRE(view.rotation);
    CHECK(view.rotation->left == 0);
    CHECK(view.rotation->finished);
    CHECK(view.retired_data_keys == 0);
    if (kind == RotationKind::kek)
        CHECK(rows(house, "select count(*) from data_keys where kek_term < 2") == 0);
    if (kind == RotationKind::data) {
        const auto tenants = static_cast<std::int64_t>(house.tenants.size());
        CHECK(rows(house,
                   fmt::format("select count(*) from secrets where key_id <= {}", tenants)) == 0);
        CHECK(rows(house, fmt::format("select count(*) from data_keys where id <= {}", tenants)) ==
              0);
        CHECK(rows(house,
                   fmt::format("select count(*) from manifests where key_id <= {}", tenants)) == 0);
    }
    CHECK(house.store(0, {{"after", "written after it"}}));
    house.values[0]["after"] = "written after it";
    CHECK(trouble(house.open(0)) == "");
}

RotationInput of(RotationKind kind) { return {kind, {}, {}}; }

// Before a rotation of the root key there is another one.
void prepare(KeyHouse& house, RotationKind kind) {
    house.fill();
    if (kind != RotationKind::root) return;
    house.runner.use_roots('s', {'r'});
    run_until(house.loop, [&] { return !house.daemon->link.ready(); });
    house.ready();
}

}  // namespace

TEST_CASE("after a rotation nothing is left under the old key", "[rotation]") {
    const auto kind = GENERATE(RotationKind::root, RotationKind::kek, RotationKind::data);
    KeyHouse house{5};
    prepare(house, kind);
    house.rotate_to_the_end(of(kind));
    check_rotated(house, kind);
}

TEST_CASE("after the root key's rotation the old one is not needed", "[rotation]") {
    KeyHouse house{2};
    prepare(house, RotationKind::root);
    CHECK(trouble(house.open_all()) == "");  // with both, before anything was rotated
    house.rotate_to_the_end(of(RotationKind::root));
    house.runner.use_roots('s');
    run_until(house.loop, [&] { return !house.daemon->link.ready(); });
    house.ready();
    CHECK(trouble(house.open_all()) == "");
}

TEST_CASE("a data key of one tenant is replaced alone", "[rotation]") {
    KeyHouse house{3};
    house.fill();
    house.rotate_to_the_end({RotationKind::data, house.tenants[1], {}});
    CHECK(rows(house, "select count(*) from data_keys where id <= 3") == 2);
    CHECK(trouble(house.open_all()) == "");
    const auto nobody = house.rotate({RotationKind::data, TenantId{999}, {}});
    CHECK_FAILS(nobody, FailureKind::not_found, "tenant 999 has no data key");
}

TEST_CASE("one rotation at a time, and it says how far it is", "[rotation]") {
    KeyHouse house{2};
    house.fill();
    must(house.rotate(of(RotationKind::data)));
    CHECK_FAILS(house.rotate(of(RotationKind::kek)), FailureKind::conflict,
                "a rotation (data) is under way already");
    CHECK(house.view().rotation->total == 2 + 6);
    run_until(house.loop, [&] { return !house.rotating(); });
    house.rotate_to_the_end(of(RotationKind::kek));
}

TEST_CASE("a rotation to a root key that is not there says so and waits", "[rotation]") {
    KeyHouse house{1};
    prepare(house, RotationKind::root);
    house.runner.die_at(1, KeyRunner::Dies::before);
    must(house.rotate(of(RotationKind::root)));
    run_until(house.loop, [&] { return house.runner.dead(); });
    house.runner.use_roots('r', {'s'});
    run_until(house.loop, [&] {
        return !house.daemon->rotation.trouble().empty() && house.daemon->link.ready();
    });
    run_until(house.loop, [&] {
        return house.daemon->rotation.trouble().find("give it that one as 'root_key'") !=
               std::string::npos;
    });
    CHECK(house.rotating());
    CHECK(trouble(house.open_all()) == "");
}

// What comes back is sealed under the key of when it was asked for, and there is no second copy.
TEST_CASE("a data key stays until a provider that was asked under it has answered", "[rotation]") {
    KeyHouse house{1};
    house.fill();
    const Time now = house.daemon->clock.now();
    struct Claimed {
        ConnectionId connection;
        std::uint64_t ticket = 0;
    };
    const auto claimed =
        must(write_now(*house.daemon->store, house.loop, [&](Db& db) -> Result<Claimed> {
            const ConnectionId id{db.must("select id from connections").integer(0)};
            TokenGrant grant;
            grant.readable = {{"account", "acme"}};
            auto consent = store_consent(db, kBy, id, reserve_version(db, id), now, grant);
            if (!consent) return pass_on(consent);
            auto ticket = claim_token(db, id, now, now + std::chrono::seconds{60});
            if (!ticket) return pass_on(ticket);
            return Claimed{id, *ticket};
        }));
    must(house.rotate(of(RotationKind::data)));
    run_until(house.loop, [&] {
        return house.daemon->rotation.trouble().find(
                   "a provider is just asked for tokens of tenant") != std::string::npos;
    });
    CHECK(house.view().retired_data_keys == 1);
    CHECK(house.view().secrets_under_retired == 0);
    CHECK(trouble(house.open_all()) == "");
    must(write_now(*house.daemon->store, house.loop, [&](Db& db) -> Result<bool> {
        release_token(db, claimed.connection, claimed.ticket);
        return true;
    }));
    run_until(house.loop, [&] { return !house.rotating(); });
    check_rotated(house, RotationKind::data);
}

TEST_CASE("the secrets of one connection are opened each under its own key during a rotation",
          "[rotation]") {
    KeyHouse house{1, 2};
    house.fill();
    const KeyScope scope{KeyScope::Kind::tenant, house.tenants[0].value};
    // As a rotation leaves it between two of its steps: what is written meanwhile is under the
    // new key, the rest under the old one.
    Wait<DataKeyRow> made{house.loop};
    house.daemon->keys.make_data_key(scope, made.callback());
    const DataKeyRow next = must(made.get());
    must(write_now(*house.daemon->store, house.loop, [&](Db& db) -> Result<bool> {
        auto old = get_data_key(db, scope);
        if (!old) return pass_on(old);
        auto done = succeed_data_key(db, kBy, *old, next);
        if (!done) return pass_on(done);
        return true;
    }));
    must(house.store(0, {{"field0", "written meanwhile"}}));
    const auto material = must(write_now(*house.daemon->store, house.loop, [&](Db& db) {
        return connection_secrets(db, kBy, {db.must("select id from connections").integer(0)},
                                  "test");
    }));
    REQUIRE(material.secrets.size() == 2);
    CHECK(material.data_keys.size() == 2);
    CHECK(material.key_of(*material.find_secret("field0")).id == next.id);
    CHECK(material.key_of(*material.find_secret("field1")).id != next.id);
    house.values[0]["field0"] = "written meanwhile";
    CHECK(trouble(house.open_all()) == "");
}

TEST_CASE("the runner may die at every message of a rotation", "[rotation]") {
    const auto kind = GENERATE(RotationKind::root, RotationKind::kek, RotationKind::data);
    const auto how = GENERATE(KeyRunner::Dies::before, KeyRunner::Dies::after);
    int deaths = 0, overtaken = 0;
    for (std::int64_t message = 1;; ++message) {
        KeyHouse house{3};
        prepare(house, kind);
        house.runner.die_at(message, how);
        std::optional<Result<void>> begun;
        house.daemon->rotation.rotate(kBy, of(kind), [&](Result<void> result) { begun = result; });
        run_until(house.loop,
                  [&] { return house.runner.dead() || (begun && *begun && !house.rotating()); });
        const bool died = house.runner.dead();
        house.runner.die_at(0, KeyRunner::Dies::never);
        if (died) {
            ++deaths;
            house.kill_runner();
            run_until(house.loop, [&] { return !house.daemon->link.ready(); });
            house.ready();
            REQUIRE(trouble(house.open_all()) == "");
            run_until(house.loop, [&] { return begun.has_value(); });
            if (!*begun) must(house.rotate(of(kind)));  // it had not begun
            run_until(house.loop, [&] { return !house.rotating(); });
        }
        check_rotated(house, kind);
        overtaken += house.overtaken;
        if (!died) break;
    }
    std::cout << "rotation of " << to_string(kind) << ": the runner died " << deaths << " times, "
              << overtaken << " secrets were read again\n";
    CHECK(deaths > 0);
}

TEST_CASE("berthd may die at every operation of a rotation", "[rotation]") {
    const auto kind = GENERATE(RotationKind::root, RotationKind::kek, RotationKind::data);
    int deaths = 0;
    for (std::uint64_t operation = 1;; ++operation) {
        KeyHouse house{3};
        prepare(house, kind);
        const auto from = house.daemon->store->counts().operations;
        std::optional<Result<void>> begun;
        house.daemon->rotation.rotate(kBy, of(kind), [&](Result<void> result) { begun = result; });
        run_until(house.loop, [&] {
            return house.daemon->store->counts().operations >= from + operation ||
                   (begun && !house.rotating());
        });
        const bool over = begun && !house.rotating();
        house.kill_daemon();
        house.start_daemon();
        REQUIRE(trouble(house.open_all()) == "");
        if (!house.view().rotation) must(house.rotate(of(kind)));
        run_until(house.loop, [&] { return !house.rotating(); });
        check_rotated(house, kind);
        if (over) break;
        ++deaths;
    }
    std::cout << "rotation of " << to_string(kind) << ": berthd died " << deaths << " times\n";
    CHECK(deaths > 0);
}
