// Connections, their history, provisioning, and what a program of Berth's own gets of them.
#include "store/connections.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "model/limits.h"
#include "store/auth_links.h"
#include "store/connection_secrets.h"
#include "store/connectors.h"
#include "store/provisioning.h"
#include "store/releases.h"
#include "store/runs.h"
#include "store/secrets.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

struct World {
    TestDb db = make_db();
    Tenant acme = add_world(db);
    ConnectionOwner tenant{acme.integration_id, acme.id};
    ConnectionOwner global{acme.integration_id, {}};

    World() {
        must(create_connector(db, kBy, "shop", "shopify"));
        must(create_connector(db, kBy, "crm", "hubspot-oauth"));
        must(attach_connector(db, kBy, acme.integration_id, {"shop", false}));
        must(attach_connector(db, kBy, acme.integration_id, {"crm", true}));
        must(add_kek(db, kBy, {1, fake_envelope(0)}));
        must(add_data_key(db, kBy,
                          {1, {KeyScope::Kind::tenant, acme.id.value}, 1, fake_envelope(1)}));
        must(add_data_key(
            db, kBy,
            {2, {KeyScope::Kind::integration, acme.integration_id.value}, 1, fake_envelope(1)}));
    }
    Connection connect(const ConnectionOwner& owner, std::string_view connector,
                       ConnectionWrite write) {
        const auto reserved = must(reserve_secrets(db, kBy, owner, connector));
        return must(set_secrets(db, kBy, reserved.connection.id, reserved.version, write));
    }
    Provisioning provision(std::string_view connector,
                           const std::map<std::string, std::string>& readable) {
        const auto reserved = must(reserve_provisioning(db, kBy, acme.integration_id, connector));
        return must(set_provisioning(db, kBy, reserved.connection.id, reserved.version,
                                     {{provisioned_name("client_secret"), fake_envelope(2)}},
                                     readable));
    }
    RunId run() {
        return must(begin_run(db, acme.id, must(latest_release(db, acme.integration_id)).id,
                              RunMode::normal, {}, kNow))
            .id;
    }
};

std::vector<std::string> sealed_names(const ConnectionMaterial& material) {
    std::vector<std::string> names;
    for (const ConnectionSecret& secret : material.secrets)
        names.push_back(secret.sealed_as);
    return names;
}

}  // namespace

TEST_CASE("a connection keeps its open fields beside the sealed ones", "[store]") {
    World w;
    const auto connected =
        w.connect(w.tenant, "shop", {{{"token", fake_envelope(1)}}, {{"shop", "acme"}}});
    CHECK(connected.kind == "shopify");
    CHECK(connected.fields == std::vector<std::string>{"token"});
    CHECK(connected.readable == std::map<std::string, std::string>{{"shop", "acme"}});

    SECTION("an empty text removes one, the others stay") {
        const auto changed = w.connect(w.tenant, "shop", {{}, {{"shop", ""}, {"plan", "pro"}}});
        CHECK(changed.readable == std::map<std::string, std::string>{{"plan", "pro"}});
        CHECK(changed.fields == std::vector<std::string>{"token"});
    }
    SECTION("what becomes a secret is no longer open") {
        const auto changed = w.connect(w.tenant, "shop", {{{"shop", fake_envelope(1)}}});
        CHECK(changed.readable.empty());
        CHECK(changed.fields == std::vector<std::string>{"shop", "token"});
    }
    SECTION("runs get both, as far as the kind says") {
        const RunId run = w.run();
        const auto not_the_shop = [](std::string_view kind, std::string_view field) {
            CHECK(kind == "shopify");
            return field != "shop";
        };
        CHECK(must(fields_for_run(w.db, run)).at(0).value == "acme");
        CHECK(must(fields_for_run(w.db, run, not_the_shop)).empty());
        CHECK(must(secrets_for_run(w.db, kBy, run, not_the_shop)).at(0).field == "token");
        const auto before = count(w.db, "audit");
        CHECK(must(secrets_for_run(w.db, kBy, run, [](auto, auto) { return false; })).empty());
        CHECK(count(w.db, "audit") == before);  // nothing was used
    }
    SECTION("only what is connected reaches a run") {
        must(set_connection_status(w.db, kBy, connected.id, ConnectionStatus::failed_refresh,
                                   "the token was revoked"));
        CHECK(must(fields_for_run(w.db, w.run())).empty());
    }
}

TEST_CASE("a connection tells what it was before, and keeps that over a reconnect", "[store]") {
    World w;
    const auto pending =
        w.connect(w.tenant, "shop",
                  {{}, {{"shop", "acme"}}, ConnectionStatus::pending, "waits for the provider"});
    CHECK(pending.status == ConnectionStatus::pending);
    w.connect(w.tenant, "shop", {{{"token", fake_envelope(1)}}});
    must(set_connection_status(w.db, kBy, pending.id, ConnectionStatus::failed_refresh, "revoked"));
    must(set_connection_status(w.db, kBy, pending.id, ConnectionStatus::failed_refresh, "revoked"));
    must(disconnect(w.db, kBy, w.tenant, "shop", "asked to"));
    const auto again = w.connect(w.tenant, "shop", {{{"token", fake_envelope(1)}}});
    CHECK(again.id == pending.id);
    CHECK(again.readable.empty());  // of the one before nothing is left

    std::vector<std::string> story;
    for (const ConnectionEvent& event : connection_history(w.db, pending.id))
        story.push_back(std::string{to_string(event.status)} + ":" + event.reason);
    CHECK(story == std::vector<std::string>{"connected:", "disconnected:asked to",
                                            "failed_refresh:revoked",
                                            "connected:", "pending:waits for the provider"});

    SECTION("a refreshed token is no news") {
        w.connect(w.tenant, "shop", {{{"token", fake_envelope(1)}}, {}, std::nullopt});
        CHECK(connection_history(w.db, pending.id).size() == 5);
    }
    SECTION("a long history loses its oldest part") {
        for (int i = 0; i < 3 * static_cast<int>(limits::kConnectionEvents); ++i)
            must(set_connection_status(w.db, kBy, pending.id, ConnectionStatus::failed_refresh,
                                       std::to_string(i)));
        const auto kept = connection_history(w.db, pending.id);
        CHECK(kept.size() == limits::kConnectionEvents);
        CHECK(kept.front().reason == std::to_string(3 * limits::kConnectionEvents - 1));
    }
    CHECK(count_connections(w.db).size() == 1);
}

TEST_CASE("a provisioning is none of the connections", "[store]") {
    World w;
    CHECK(must(get_provisioning(w.db, w.acme.integration_id, "crm")).id == ConnectionId{});
    const auto provisioned = w.provision("crm", {{"client_id", "app-1"}});
    CHECK(provisioned.readable.at("client_id") == "app-1");
    CHECK(provisioned.secrets == std::vector<std::string>{"client_secret"});
    CHECK(provisioned.is_global);

    // The global connection of the same integration and connector is another row.
    CHECK(must(connections_of(w.db, w.acme.id)).at(0).status == ConnectionStatus::disconnected);
    CHECK_FAILS(get_connection(w.db, w.global, "crm"), FailureKind::not_found, "not connected");
    CHECK_FAILS(get_connection(w.db, provisioned.id), FailureKind::not_found, "no connection");
    CHECK(count_connections(w.db).empty());
    CHECK(must(secrets_for_run(w.db, kBy, w.run())).empty());
    w.connect(w.global, "crm", {{{"client_secret", fake_envelope(2)}}});
    CHECK(must(get_provisioning(w.db, w.acme.integration_id, "crm")).secrets.size() == 1);

    SECTION("its row takes nothing of a connection's, and the other way round") {
        const auto reserved = must(reserve_provisioning(w.db, kBy, w.acme.integration_id, "crm"));
        CHECK_FAILS(set_secrets(w.db, kBy, reserved.connection.id, reserved.version,
                                std::vector<SealedField>{{"token", fake_envelope(2)}}),
                    FailureKind::not_found, "no connection");
        CHECK_FAILS(set_provisioning(w.db, kBy, reserved.connection.id, reserved.version,
                                     {{"token", fake_envelope(2)}}, {}),
                    FailureKind::invalid, "no sealed field of a provisioning");
    }
    SECTION("it goes as a whole, and its versions are never given out again") {
        const auto gone = must(delete_provisioning(w.db, kBy, w.acme.integration_id, "crm"));
        CHECK(gone.readable.empty());
        CHECK(gone.secrets.empty());
        CHECK(must(reserve_provisioning(w.db, kBy, w.acme.integration_id, "crm")).version == 2);
        CHECK(must(get_connection(w.db, w.global, "crm")).fields.size() == 1);
    }
    CHECK_FAILS(get_provisioning(w.db, w.acme.integration_id, "other"), FailureKind::not_found,
                "does not use connector 'other'");
}

TEST_CASE("a program of ours gets one connection's secrets, and the audit says what for",
          "[store]") {
    World w;
    w.provision("shop", {{"client_id", "app-1"}});
    const auto mine =
        w.connect(w.tenant, "shop", {{{"refresh_token", fake_envelope(1)}}, {{"shop", "acme"}}});
    const Tenant zeta = add_tenant(w.db, w.acme.integration_id, "zeta");
    w.connect({zeta.integration_id, zeta.id}, "shop", {{{"refresh_token", fake_envelope(3)}}});

    const auto material = must(connection_secrets(w.db, kBy, mine.id, "refresh"));
    CHECK(sealed_names(material) ==
          std::vector<std::string>{"refresh_token", "provisioning/client_secret"});
    CHECK(material.connection.kind == "shopify");
    CHECK(material.find_readable("client_id") == "app-1");
    CHECK(material.find_readable("shop") == "acme");
    CHECK(material.find_readable("other").empty());
    REQUIRE(material.find_secret("client_secret") != nullptr);
    CHECK(material.find_secret("client_secret")->provisioned);
    CHECK(material.key_of(*material.find_secret("client_secret")).id == 2);
    CHECK(material.key_of(*material.find_secret("refresh_token")).id == 1);
    const AuditRow row = list_audit(w.db, 0, 1).at(0);
    CHECK(row.action == "secret.use");
    CHECK(row.object == fmt::format("tenant {} connector shop", w.acme.id.value));
    CHECK(row.detail == "refresh: refresh_token, provisioning/client_secret");

    SECTION("no more than what was asked for") {
        const std::vector<std::string> only{"client_secret"};
        CHECK(sealed_names(must(connection_secrets(w.db, kBy, mine.id, "check", only))) ==
              std::vector<std::string>{"provisioning/client_secret"});
        CHECK(list_audit(w.db, 0, 1).at(0).detail == "check: provisioning/client_secret");
    }
    CHECK_FAILS(connection_secrets(w.db, kBy, ConnectionId{99}, "refresh"), FailureKind::not_found,
                "no connection '99'");
}

TEST_CASE("an auth link leads to its tenant until it is revoked or replaced", "[store]") {
    World w;
    CHECK_FALSE(must(get_auth_link(w.db, w.acme.id)));
    CHECK_FALSE(find_auth_link(w.db, "h1"));
    must(put_auth_link(w.db, kBy, {w.acme.id, "s1", "h1", {}}));
    CHECK(find_auth_link(w.db, "h1") == w.acme.id);
    must(disconnect(w.db, kBy, w.tenant, "shop"));
    CHECK(find_auth_link(w.db, "h1") == w.acme.id);

    SECTION("a new one takes its place") {
        must(put_auth_link(w.db, kBy, {w.acme.id, "s2", "h2", {}}));
        CHECK_FALSE(find_auth_link(w.db, "h1"));
        CHECK(find_auth_link(w.db, "h2") == w.acme.id);
    }
    SECTION("a revoked one is as one that never was") {
        must(delete_auth_link(w.db, kBy, w.acme.id));
        must(delete_auth_link(w.db, kBy, w.acme.id));
        CHECK_FALSE(find_auth_link(w.db, "h1"));
        CHECK_FALSE(must(get_auth_link(w.db, w.acme.id)));
    }
    SECTION("an archived tenant's leads nowhere, and it gets no new one") {
        must(archive_tenant(w.db, kBy, w.acme.id));
        CHECK_FALSE(find_auth_link(w.db, "h1"));
        CHECK_FAILS(put_auth_link(w.db, kBy, {w.acme.id, "s2", "h2", {}}), FailureKind::conflict,
                    "is archived");
    }
    CHECK_FAILS(get_auth_link(w.db, TenantId{99}), FailureKind::not_found, "no tenant '99'");
}
