#include "store/audit.h"

#include <functional>

#include "store/auth_links.h"
#include "store/connections.h"
#include "store/connectors.h"
#include "store/integrations.h"
#include "store/keys.h"
#include "store/provisioning.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/secrets.h"
#include "store/settings.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("every change and every use of a secret leaves its audit row", "[store]") {
    TestDb made = make_db();
    Db& db = made;
    const Tenant acme = add_world(db);
    const IntegrationId shop = acme.integration_id;
    const ReleaseId release = must(latest_release(db, shop)).id;
    const ConnectionOwner owner{shop, acme.id};
    must(add_kek(db, kBy, {1, fake_envelope(0)}));
    const RunId run = must(begin_run(db, acme.id, release, RunMode::normal, {}, kNow)).id;

    // What is done, and the action its row names.
    const std::vector<std::pair<std::string, std::function<void()>>> changes{
        {"integration.create", [&] { add_integration(db, "second"); }},
        {"integration.update",
         [&] { must(update_integration(db, kBy, must(get_integration(db, shop)))); }},
        {"integration.default_release", [&] { must(set_default_release(db, kBy, shop, release)); }},
        {"release.create", [&] { add_release(db, shop, "h2"); }},
        {"connector.create", [&] { must(create_connector(db, kBy, "shop-api", "custom")); }},
        {"integration.connector",
         [&] {
             must(attach_connector(db, kBy, shop, {"shop-api", false}));
         }},
        {"tenant.create", [&] { add_tenant(db, shop, "other"); }},
        {"tenant.update", [&] { must(update_tenant(db, kBy, must(get_tenant(db, acme.id)))); }},
        {"tenant.metadata", [&] { must(merge_metadata(db, kBy, acme.id, "{}")); }},
        {"tenant.dynamic_configs", [&] { must(set_dynamic_configs(db, kBy, acme.id, "{}")); }},
        {"secret.set",
         [&] {
             const auto reserved = must(reserve_secrets(db, kBy, owner, "shop-api"));
             must(set_secrets(db, kBy, reserved.connection.id, reserved.version,
                              {{"token", fake_envelope(3)}}));
         }},
        {"secret.use", [&] { must(secrets_for_run(db, kBy, run)); }},
        {"connection.disconnect", [&] { must(disconnect(db, kBy, owner, "shop-api")); }},
        {"connection.status",
         [&] {
             const auto opened = must(open_connection(db, kBy, owner, "shop-api"));
             must(set_connection_status(db, kBy, opened.id, ConnectionStatus::pending, "begun"));
         }},
        {"provisioning.set",
         [&] {
             const auto reserved = must(reserve_provisioning(db, kBy, shop, "shop-api"));
             must(set_provisioning(db, kBy, reserved.connection.id, reserved.version, {},
                                   {{"client_id", "a"}}));
         }},
        {"provisioning.delete", [&] { must(delete_provisioning(db, kBy, shop, "shop-api")); }},
        {"auth_link.create",
         [&] {
             must(put_auth_link(db, kBy, {acme.id, "s", "h", {}}));
         }},
        {"auth_link.revoke", [&] { must(delete_auth_link(db, kBy, acme.id)); }},
        {"kek.create",
         [&] {
             must(add_kek(db, kBy, {2, fake_envelope(0)}));
         }},
        {"data_key.create",
         [&] {
             must(add_data_key(db, kBy, {1, {KeyScope::Kind::tenant, 1}, 1, fake_envelope(1)}));
         }},
        {"data_key.rewrap",
         [&] {
             must(rewrap_data_key(db, kBy, {1, {KeyScope::Kind::tenant, 1}, 2, fake_envelope(2)}));
         }},
        {"data_key.delete",
         [&] {
             must(delete_data_key(db, kBy, {KeyScope::Kind::tenant, 1}));
         }},
        {"setting.set", [&] { set_setting(db, kBy, "a", "b"); }},
        {"tenant.archive", [&] { must(archive_tenant(db, kBy, acme.id)); }},
    };
    for (const auto& [action, change] : changes) {
        INFO(action);
        const auto before = count(db, "audit");
        change();
        CHECK(count(db, "audit") == before + 1);
        CHECK(list_audit(db, 0, 1).at(0).action == action);
        CHECK(list_audit(db, 0, 1).at(0).actor == "uid 0");
    }
    CHECK(must(verify_audit(db)).seq == count(db, "audit"));
}

TEST_CASE("a refused change leaves no audit row", "[store]") {
    TestDb db = make_db();
    add_integration(db, "shop");
    const auto before = count(db, "audit");
    Integration again;
    again.name = "shop";
    CHECK_FALSE(create_integration(db, kBy, again));
    CHECK(count(db, "audit") == before);
}

TEST_CASE("an audit trail that was tampered with is found out", "[store]") {
    TestDb made = make_db();
    Db& db = made;
    Tx tx{db, Tx::Mode::write};
    for (int i = 1; i <= 2500; ++i)
        audit(db, kBy, "test", "object " + std::to_string(i), "detail");
    tx.commit();
    REQUIRE(must(verify_audit(db)).seq == 2500);

    struct Tampering {
        std::string how;
        std::string message;
    };
    const auto act = GENERATE(
        Tampering{"update audit set detail = 'x' where seq = 1700", "row 1700 has been changed"},
        Tampering{"update audit set time = time + 1 where seq = 1", "row 1 has been changed"},
        // What moves between two columns must not cancel out.
        Tampering{"update audit set actor = actor || substr(action, 1, 1),"
                  " action = substr(action, 2) where seq = 9",
                  "row 9 has been changed"},
        Tampering{"delete from audit where seq = 1000", "row 1000 is missing"},
        Tampering{"delete from audit where seq = 1", "row 1 is missing"},
        Tampering{"delete from audit where seq > 2490", "row 2491 is missing"},
        Tampering{"delete from audit", "row 1 is missing"},
        Tampering{"update audit set seq = -5 where seq = 10; update audit set seq = 10 where seq ="
                  " 11; update audit set seq = 11 where seq = -5",
                  "row 10 has been changed"},
        Tampering{"update audit_head set seq = 2499", "end of the audit trail"},
        Tampering{"delete from audit_head", "end of the audit trail"},
        Tampering{"insert into audit select 2501, time, actor, action, object, detail, hash from"
                  " audit where seq = 2500",
                  "row 2501 has been changed"});
    INFO(act.how);
    db.exec_script(act.how);
    CHECK_FAILS(verify_audit(db), FailureKind::conflict, act.message);
}

// S18 of the reliability plan, in full: what comes before a row is walked once, and gone on
// from for each of the three things that are done to it.
TEST_CASE("whichever of 10^4 audit rows is edited, deleted or moved, it is found", "[store]") {
    constexpr std::int64_t kRows = 10'000, kStretch = 10;
    TestDb made = make_db();
    Db& db = made;
    {
        Tx tx{db, Tx::Mode::write};
        for (std::int64_t i = 1; i <= kRows; ++i)
            audit(db, kBy, "test", "object " + std::to_string(i), "detail");
        tx.commit();
    }
    const std::vector<std::string> acts{
        "update audit set detail = 'else' where seq = $1", "delete from audit where seq = $1",
        // With the one before: both are there, in the wrong order.
        "update audit set (time, actor, action, object, detail, hash) = (select other.time,"
        " other.actor, other.action, other.object, other.detail, other.hash from audit other"
        " where other.seq = $1 - 1) where seq = $1"};
    Tx tx{db, Tx::Mode::write};
    std::int64_t found = 0, done = 0;
    AuditWalk before;
    for (std::int64_t seq = 1; seq <= kRows; ++seq) {
        if (seq % kStretch == 1 && seq > 1) REQUIRE(must(before.step(db, kStretch)) == false);
        for (const std::string& act : acts) {
            if (seq == 1 && &act == &acts.back()) continue;  // there is none before it
            db.exec("savepoint act");
            REQUIRE(db.exec(act, {seq}) == 1);
            AuditWalk walk = before;
            Result<bool> ended = false;
            while (ended && !*ended)
                ended = walk.step(db, kStretch);
            ++done;
            const auto number = " row " + std::to_string(seq);
            if (!ended && ended.error().message.find(number + " ") != std::string::npos) ++found;
            db.exec("rollback to act");
            db.exec("release act");
        }
    }
    CHECK(done == 3 * kRows - 1);
    CHECK(found == done);
    CHECK(must(verify_audit(db)).seq == kRows);  // the control: nothing is left of it
}

TEST_CASE("a trail that was written anew is told apart by a head that was published", "[store]") {
    TestDb made = make_db();
    TestDb other_made = make_db();
    Db &db = made, &other = other_made;
    for (int i = 1; i <= 30; ++i) {
        audit(db, kBy, "test", "object", "what was done");
        audit(other, kBy, "test", "object", i == 10 ? "what is to be believed" : "what was done");
    }
    const AuditHead last = audit_head(db);
    CHECK(last.seq == 30);
    CHECK(must(verify_audit(db, last)) == last);
    CHECK(parse_audit_head(audit_head_text(last)) == last);
    // Each is whole by itself; and a head from before the change tells nothing.
    CHECK(must(verify_audit(other)).seq == 30);
    CHECK_FAILS(verify_audit(other, last), FailureKind::conflict,
                "written anew: row 30 is not the one that was published");
    // As the chain was when it had nine rows: both have those.
    TestDb nine_made = make_db();
    Db& nine = nine_made;
    for (int i = 1; i <= 9; ++i)
        audit(nine, kBy, "test", "object", "what was done");
    CHECK(must(verify_audit(db, audit_head(nine))) == last);
    CHECK(must(verify_audit(other, audit_head(nine))).seq == 30);
    CHECK_FAILS(verify_audit(nine, last), FailureKind::conflict,
                "cut off: row 30 was published, and it ends at row 9");
    for (const char* wrong : {"", "30", "30:", ":", "-1:", "30:abc", "x:y"})
        CHECK_FALSE(parse_audit_head(wrong));
    CHECK_FALSE(parse_audit_head("30:" + std::string(64, 'G')));
}
