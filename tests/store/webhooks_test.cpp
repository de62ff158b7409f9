// The addresses that providers deliver to, and the record of what came.
#include "store/webhooks.h"

#include "model/limits.h"
#include "store/audit.h"
#include "store/connectors.h"
#include "store/integrations.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

struct World {
    TestDb db = make_db();
    Tenant acme = add_world(db);
    ConnectorId shop;

    World() {
        shop = must(create_connector(db, kBy, "shop", "shopify")).id;
        must(create_connector(db, kBy, "crm", "hubspot-oauth"));
        must(attach_connector(db, kBy, acme.integration_id, {"shop", false}));
    }
    std::string last_action() { return list_audit(db, 0, 1).at(0).action; }
    HookDelivery delivery(std::string id) {
        HookDelivery made;
        made.time = kNow;
        made.outcome = HookOutcome::accepted;
        made.delivery_id = std::move(id);
        made.bytes = 5;
        made.trigger_id = TriggerId::make();
        return made;
    }
};

By later(std::chrono::seconds by) { return {"uid 0", kNow + by}; }

}  // namespace

TEST_CASE("an address is made once, and found by its token alone", "[store]") {
    World world;
    CHECK(must(list_hooks(world.db, world.acme.id, "shop", kNow)).empty());
    const auto made = must(open_hook(world.db, kBy, world.acme.id, "shop", "t0"));
    REQUIRE(made.size() == 1);
    CHECK(made[0].token == "t0");
    CHECK(world.last_action() == "webhook.create");
    CHECK(must(open_hook(world.db, kBy, world.acme.id, "shop", "t1"))[0].token == "t0");

    const auto owner = find_hook(world.db, "t0", kNow);
    REQUIRE(owner);
    CHECK(owner->tenant_id == world.acme.id);
    CHECK(owner->integration_id == world.acme.integration_id);
    CHECK(owner->connector_id == world.shop);
    CHECK(owner->connector_name == "shop");
    CHECK(owner->kind == "shopify");
    CHECK_FALSE(owner->is_global);
    for (const char* other : {"t1", "T0", "t", "", "t0 "})
        CHECK_FALSE(find_hook(world.db, other, kNow));
}

TEST_CASE("a replaced address serves until its end, and no longer", "[store]") {
    World world;
    must(open_hook(world.db, kBy, world.acme.id, "shop", "t0"));
    const auto both = must(rotate_hook(world.db, kBy, world.acme.id, "shop", "t1", 60s));
    REQUIRE(both.size() == 2);
    CHECK(both[0].token == "t1");
    CHECK_FALSE(both[0].ends);
    CHECK(both[1].token == "t0");
    CHECK(both[1].ends == kNow + 60s);
    CHECK(world.last_action() == "webhook.rotate");
    CHECK(find_hook(world.db, "t0", kNow + 59s));
    CHECK_FALSE(find_hook(world.db, "t0", kNow + 60s));
    CHECK(find_hook(world.db, "t1", kNow + 60s));

    // The next one shortens what is left of the first, and does not lengthen it.
    must(rotate_hook(world.db, later(10s), world.acme.id, "shop", "t2", 3600s));
    CHECK_FALSE(find_hook(world.db, "t0", kNow + 61s));
    CHECK(find_hook(world.db, "t1", kNow + 61s));
    must(rotate_hook(world.db, later(20s), world.acme.id, "shop", "t3", 0s));
    CHECK_FALSE(find_hook(world.db, "t1", kNow + 20s));
    CHECK_FALSE(find_hook(world.db, "t2", kNow + 20s));
    CHECK(must(list_hooks(world.db, world.acme.id, "shop", kNow + 20s)).size() == 1);
}

TEST_CASE("a revoked address is as one that never was", "[store]") {
    World world;
    must(open_hook(world.db, kBy, world.acme.id, "shop", "t0"));
    must(rotate_hook(world.db, kBy, world.acme.id, "shop", "t1", 3600s));
    must(revoke_hooks(world.db, kBy, world.acme.id, "shop"));
    CHECK(world.last_action() == "webhook.revoke");
    CHECK_FALSE(find_hook(world.db, "t0", kNow));
    CHECK_FALSE(find_hook(world.db, "t1", kNow));
    must(revoke_hooks(world.db, kBy, world.acme.id, "shop"));  // twice is fine
}

TEST_CASE("what is archived has no address that serves, and gets none", "[store]") {
    World world;
    must(open_hook(world.db, kBy, world.acme.id, "shop", "t0"));
    Tenant archived = world.acme;
    archived.archived = true;
    must(update_tenant(world.db, kBy, archived));
    CHECK_FALSE(find_hook(world.db, "t0", kNow));
    CHECK_FAILS(open_hook(world.db, kBy, world.acme.id, "shop", "t1"), FailureKind::conflict,
                "is archived");
    must(update_tenant(world.db, kBy, world.acme));
    CHECK(find_hook(world.db, "t0", kNow));  // as it was
}

TEST_CASE("a connector that the integration does not use has no address", "[store]") {
    World world;
    for (const char* connector : {"crm", "nothing"}) {
        CHECK_FAILS(open_hook(world.db, kBy, world.acme.id, connector, "t"), FailureKind::not_found,
                    "uses no connector");
        CHECK_FAILS(list_hooks(world.db, world.acme.id, connector, kNow), FailureKind::not_found,
                    "uses no connector");
        CHECK_FAILS(list_deliveries(world.db, world.acme.id, connector, 10), FailureKind::not_found,
                    "uses no connector");
    }
    CHECK_FAILS(open_hook(world.db, kBy, TenantId{99}, "shop", "t"), FailureKind::not_found,
                "tenant");
}

TEST_CASE("the last deliveries stay on record, the newest first", "[store]") {
    World world;
    const auto most = static_cast<int>(limits::kWebhookDeliveries);
    for (int i = 1; i <= most + 7; ++i)
        record_delivery(world.db, world.acme.id, world.shop,
                        world.delivery("d" + std::to_string(i)));
    const auto all = must(list_deliveries(world.db, world.acme.id, "shop", 1000));
    REQUIRE(all.size() == limits::kWebhookDeliveries);
    CHECK(all.front().delivery_id == "d" + std::to_string(most + 7));
    CHECK(all.front().number == most + 7);
    CHECK(all.front().outcome == HookOutcome::accepted);
    CHECK(all.front().trigger_id);
    CHECK(all.back().delivery_id == "d8");
    CHECK(must(list_deliveries(world.db, world.acme.id, "shop", 3)).size() == 3);
}

TEST_CASE("a token has 192 bits of its own", "[store]") {
    CHECK(make_hook_token().size() == 48);
    CHECK(make_hook_token() != make_hook_token());
}

TEST_CASE("another stamp for every change of the secrets that check deliveries", "[store]") {
    World world;
    must(open_hook(world.db, kBy, world.acme.id, "shop", "t0"));
    const auto owner = find_hook(world.db, "t0", kNow).value();
    CHECK(must(hook_stamp(world.db, owner)).empty());  // not connected: nothing can be right
}
