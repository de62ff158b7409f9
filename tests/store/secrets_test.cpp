#include "store/secrets.h"

#include "model/limits.h"
#include "store/connectors.h"
#include "store/keys.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/settings.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

// A world whose integration uses a connector per tenant and a global one.
struct World {
    TestDb made = make_db();
    Db& db = *made.db;
    Tenant acme = add_world(db);
    ConnectionOwner tenant{acme.integration_id, acme.id};
    ConnectionOwner global{acme.integration_id, {}};
    World() {
        must(attach_connector(db, kBy, acme.integration_id, {"shop-api", false}));
        must(attach_connector(db, kBy, acme.integration_id, {"crm-api", true}));
    }
    Connection set(const ConnectionOwner& owner, const std::string& connector,
                   const std::string& field) {
        const auto reserved = must(reserve_secrets(db, kBy, owner, connector));
        return must(set_secrets(db, kBy, reserved.connection.id, reserved.version,
                                {{field, fake_envelope(7)}}));
    }
    Run run() {
        return must(begin_run(db, acme.id, must(latest_release(db, acme.integration_id)).id,
                              RunMode::normal, {}, kNow));
    }
};

}  // namespace

TEST_CASE("secrets are written field by field, and their versions count up", "[store]") {
    World w;
    const auto first = must(reserve_secrets(w.db, kBy, w.tenant, "shop-api"));
    CHECK(first.version == 1);
    CHECK(first.scope == KeyScope{KeyScope::Kind::tenant, w.acme.id.value});
    CHECK(first.connection.status == ConnectionStatus::disconnected);
    const auto connection =
        must(set_secrets(w.db, kBy, first.connection.id, first.version,
                         {{"token", fake_envelope(7)}, {"id", fake_envelope(7)}}));
    CHECK(connection.status == ConnectionStatus::connected);
    CHECK(connection.fields == std::vector<std::string>{"id", "token"});

    w.set(w.tenant, "shop-api", "token");
    w.set(w.global, "crm-api", "key");
    const auto secrets = must(secrets_for_run(w.db, kBy, w.run().id));
    REQUIRE(secrets.size() == 3);
    CHECK(secrets[0].connector_name == "crm-api");
    CHECK(secrets[0].scope == KeyScope{KeyScope::Kind::integration, w.acme.integration_id.value});
    CHECK(secrets[1].field == "id");
    CHECK(secrets[1].version == 1);
    CHECK(secrets[2].field == "token");
    CHECK(secrets[2].version == 2);
}

TEST_CASE("an earlier version cannot overwrite a later one", "[store]") {
    World w;
    const auto slow = must(reserve_secrets(w.db, kBy, w.tenant, "shop-api"));
    w.set(w.tenant, "shop-api", "token");
    CHECK_FAILS(
        set_secrets(w.db, kBy, slow.connection.id, slow.version, {{"token", fake_envelope(7)}}),
        FailureKind::conflict, "was changed by somebody else meanwhile");
    CHECK_FAILS(set_secrets(w.db, kBy, slow.connection.id, 99, {{"token", fake_envelope(7)}}),
                FailureKind::invalid, "was never given out");
}

TEST_CASE("a one-time key is never stored twice", "[store]") {
    World w;
    const std::string envelope = fake_envelope(7);
    const auto one = must(reserve_secrets(w.db, kBy, w.tenant, "shop-api"));
    CHECK_FAILS(
        set_secrets(w.db, kBy, one.connection.id, one.version, {{"a", envelope}, {"b", envelope}}),
        FailureKind::conflict, "uses a salt that was used before");
    CHECK_FAILS(set_secrets(w.db, kBy, one.connection.id, one.version,
                            std::vector<SealedField>{{"c", "short"}}),
                FailureKind::invalid, "too short");
}

TEST_CASE("secrets go where the connector says, and only there", "[store]") {
    World w;
    CHECK_FAILS(reserve_secrets(w.db, kBy, w.tenant, "crm-api"), FailureKind::unprocessable,
                "connector 'crm-api' is global");
    CHECK_FAILS(reserve_secrets(w.db, kBy, w.global, "shop-api"), FailureKind::unprocessable,
                "connector 'shop-api' is not global");
    CHECK_FAILS(reserve_secrets(w.db, kBy, w.tenant, "other"), FailureKind::not_found,
                "does not use connector 'other'");
    CHECK_FAILS(reserve_secrets(w.db, kBy, {w.acme.integration_id, TenantId{99}}, "shop-api"),
                FailureKind::not_found, "there is no tenant '99'");
    CHECK_FAILS(reserve_secrets(w.db, kBy, {IntegrationId{99}, w.acme.id}, "shop-api"),
                FailureKind::not_found, "there is no tenant");
    must(archive_tenant(w.db, kBy, w.acme.id));
    CHECK_FAILS(reserve_secrets(w.db, kBy, w.tenant, "shop-api"), FailureKind::conflict,
                "is archived");
}

TEST_CASE("a tenant's run gets no secret of another tenant", "[store]") {
    World w;
    const Tenant zeta = add_tenant(w.db, w.acme.integration_id, "zeta");
    w.set({zeta.integration_id, zeta.id}, "shop-api", "token");
    CHECK(must(secrets_for_run(w.db, kBy, w.run().id)).empty());
    CHECK_FAILS(secrets_for_run(w.db, kBy, RunId{99}), FailureKind::not_found,
                "there is no run '99'");
}

TEST_CASE("disconnecting deletes the secrets and never gives a version out again", "[store]") {
    World w;
    w.set(w.tenant, "shop-api", "token");
    must(disconnect(w.db, kBy, w.tenant, "shop-api", "asked to"));
    must(disconnect(w.db, kBy, w.tenant, "shop-api"));
    const auto gone = must(get_connection(w.db, w.tenant, "shop-api"));
    CHECK(gone.status == ConnectionStatus::disconnected);
    CHECK(gone.reason == "asked to");
    CHECK(gone.fields.empty());
    CHECK(count(w.db, "secrets") == 0);
    CHECK(must(reserve_secrets(w.db, kBy, w.tenant, "shop-api")).version == 2);
    CHECK_FAILS(disconnect(w.db, kBy, w.tenant, "crm-api"), FailureKind::unprocessable,
                "is global");
}

TEST_CASE("a tenant's connections are listed, also those never made", "[store]") {
    World w;
    w.set(w.global, "crm-api", "key");
    const auto all = must(connections_of(w.db, w.acme.id));
    REQUIRE(all.size() == 2);
    CHECK(all[0].connector_name == "crm-api");
    CHECK_FALSE(all[0].tenant_id);
    CHECK(all[0].fields == std::vector<std::string>{"key"});
    CHECK(all[1].connector_name == "shop-api");
    CHECK(all[1].id == ConnectionId{});
    CHECK(all[1].status == ConnectionStatus::disconnected);
    CHECK_FAILS(connections_of(w.db, TenantId{99}), FailureKind::not_found, "there is no tenant");
}

TEST_CASE("a connector with secrets cannot change between global and per tenant", "[store]") {
    World w;
    w.set(w.global, "crm-api", "key");
    CHECK_FAILS(attach_connector(w.db, kBy, w.acme.integration_id, {"crm-api", false}),
                FailureKind::conflict, "disconnect it before");
    must(disconnect(w.db, kBy, w.global, "crm-api"));
    must(attach_connector(w.db, kBy, w.acme.integration_id, {"crm-api", false}));
    CHECK(connectors_of(w.db, w.acme.integration_id).at(0) ==
          IntegrationConnector{"crm-api", false});
}

TEST_CASE("a connection holds a limited number of secrets", "[store]") {
    World w;
    const auto reserved = must(reserve_secrets(w.db, kBy, w.tenant, "shop-api"));
    std::vector<SealedField> fields;
    for (std::size_t i = 0; i <= limits::kSecretFields; ++i)
        fields.push_back({"f" + std::to_string(i), fake_envelope(7)});
    CHECK_FAILS(set_secrets(w.db, kBy, reserved.connection.id, reserved.version, fields),
                FailureKind::over_limit, "would hold 65 secrets; at most 64");
    CHECK_FAILS(set_secrets(w.db, kBy, reserved.connection.id, reserved.version,
                            std::vector<SealedField>{}),
                FailureKind::unprocessable, "no secrets were given");
}

TEST_CASE("each scope has one data key, whose number is never given out again", "[store]") {
    TestDb db = make_db();
    const KeyScope scope{KeyScope::Kind::tenant, 5};
    CHECK_FAILS(add_data_key(db, kBy, {1, scope, 1, fake_envelope(1)}), FailureKind::conflict,
                "no key-encryption key of term 1");
    must(add_kek(db, kBy, {1, fake_envelope(0)}));
    CHECK_FAILS(add_kek(db, kBy, {1, fake_envelope(0)}), FailureKind::conflict,
                "of term 1 already");
    CHECK(list_keks(db).size() == 1);

    const auto id = must(reserve_data_key_id(db));
    const std::string envelope = fake_envelope(1);
    must(add_data_key(db, kBy, {id, scope, 1, envelope}));
    CHECK(must(get_data_key(db, scope)).envelope == envelope);
    const auto next = must(reserve_data_key_id(db));
    CHECK(next > id);
    CHECK_FAILS(add_data_key(db, kBy, {next, scope, 1, fake_envelope(1)}), FailureKind::conflict,
                "tenant 5 has a data key already");
    CHECK_FAILS(add_data_key(db, kBy, {next, {KeyScope::Kind::integration, 5}, 1, envelope}),
                FailureKind::conflict, "used before");
    const std::string anew = fake_envelope(1);
    must(rewrap_data_key(db, kBy, {id, scope, 1, anew}));
    CHECK(must(get_data_key(db, scope)).envelope == anew);
    must(delete_data_key(db, kBy, scope));
    CHECK_FAILS(get_data_key(db, scope), FailureKind::not_found, "tenant 5 has no data key");
    CHECK(must(reserve_data_key_id(db)) > next);
}

TEST_CASE("an envelope's key and salt are read from their places", "[store]") {
    const std::string envelope = fake_envelope(0x01020304);
    const auto head = must(read_envelope_head(envelope));
    CHECK(head.key_id == 0x01020304);
    CHECK(head.salt == envelope.substr(10, 32));
}

TEST_CASE("the installation keeps the id it was born with", "[store]") {
    TestDb db = make_db();
    const std::string id = must(install_id(db, kBy));
    CHECK(id.size() == 16);
    CHECK(must(install_id(db, kBy)) == id);
    set_setting(db, kBy, "install_id", "zz");
    CHECK_FAILS(install_id(db, kBy), FailureKind::unavailable, "restore a backup");
}
