#include "store/tenants.h"

#include "model/limits.h"
#include "store/integrations.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("a tenant starts paused and comes back as it was written", "[store]") {
    TestDb db = make_db();
    Tenant wanted;
    wanted.integration_id = add_integration(db, "shop").id;
    wanted.name = "Ä customer";
    wanted.user_name = "jo@example.com";
    wanted.configs = R"({"a":1})";
    wanted.release_channel = Channel::Default;
    const Tenant made = must(create_tenant(db, kBy, wanted));
    const Tenant read = must(get_tenant(db, made.id));
    CHECK(read.paused);
    CHECK_FALSE(read.archived);
    CHECK(read.name == "Ä customer");
    CHECK(read.configs == R"({"a":1})");
    CHECK(read.release_channel == Channel::Default);
    CHECK(must(find_tenant_of_user(db, wanted.integration_id, "jo@example.com")).id == made.id);
}

TEST_CASE("a name belongs to one tenant of an integration until that one is archived", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    const IntegrationId other = add_integration(db, "other").id;
    Tenant wanted;
    wanted.integration_id = acme.integration_id;
    wanted.name = "acme";
    const auto second = create_tenant(db, kBy, wanted);
    CHECK_FAILS(second, FailureKind::conflict, "has a tenant 'acme' already");
    CHECK(second.error().where == "name");
    add_tenant(db, other, "acme");

    must(archive_tenant(db, kBy, acme.id));
    const Tenant heir = add_tenant(db, acme.integration_id, "acme");
    Tenant back = must(get_tenant(db, acme.id));
    CHECK(back.archived);
    back.archived = false;
    CHECK_FAILS(update_tenant(db, kBy, back), FailureKind::conflict, "has a tenant 'acme' already");
    CHECK(must(list_tenants(db, {acme.integration_id, {}, false}, {})).at(0).id == heir.id);
    CHECK(must(list_tenants(db, {acme.integration_id, {}, true}, {})).at(0).id == acme.id);
}

TEST_CASE("a tenant cannot be made of what is not there", "[store]") {
    TestDb db = make_db();
    const Tenant acme = add_world(db);
    Tenant wanted;
    wanted.name = "x";
    wanted.integration_id = IntegrationId{99};
    CHECK_FAILS(create_tenant(db, kBy, wanted), FailureKind::unprocessable,
                "there is no integration '99'");
    wanted.integration_id = acme.integration_id;
    wanted.release_id = ReleaseId{99};
    CHECK_FAILS(create_tenant(db, kBy, wanted), FailureKind::unprocessable, "has no release '99'");
    wanted.release_id = ReleaseId{1};
    wanted.release_channel = Channel::Latest;
    CHECK_FAILS(create_tenant(db, kBy, wanted), FailureKind::unprocessable, "exclude each other");
    wanted.release_id.reset();
    wanted.name = "  ";
    CHECK_FAILS(create_tenant(db, kBy, wanted), FailureKind::unprocessable, "'name' must have");

    Integration shop = must(get_integration(db, acme.integration_id));
    shop.archived = true;
    must(update_integration(db, kBy, shop));
    wanted.name = "late";
    CHECK_FAILS(create_tenant(db, kBy, wanted), FailureKind::conflict, "is archived");
}

TEST_CASE("unknown tenants are not found", "[store]") {
    TestDb db = make_db();
    const TenantId absent{GENERATE(0, -5, 12)};
    const std::string message = "there is no tenant '" + absent.str() + "'";
    Tenant changed;
    changed.id = absent;
    CHECK_FAILS(get_tenant(db, absent), FailureKind::not_found, message);
    CHECK_FAILS(update_tenant(db, kBy, changed), FailureKind::not_found, message);
    CHECK_FAILS(archive_tenant(db, kBy, absent), FailureKind::not_found, message);
    CHECK_FAILS(get_metadata(db, absent), FailureKind::not_found, message);
    CHECK_FAILS(merge_metadata(db, kBy, absent, "{}"), FailureKind::not_found, message);
    CHECK_FAILS(set_dynamic_configs(db, kBy, absent, "{}"), FailureKind::not_found, message);
    CHECK_FAILS(find_tenant_of_user(db, {1}, "nobody"), FailureKind::not_found,
                "has no tenant of user 'nobody'");
}

TEST_CASE("a user with two tenants must be synced by id", "[store]") {
    TestDb db = make_db();
    Tenant wanted;
    wanted.integration_id = add_integration(db, "shop").id;
    wanted.user_name = "jo";
    for (const char* name : {"one", "two"}) {
        wanted.name = name;
        must(create_tenant(db, kBy, wanted));
    }
    CHECK_FAILS(find_tenant_of_user(db, wanted.integration_id, "jo"), FailureKind::conflict,
                "more than one tenant");
    CHECK(must(list_tenants(db, {{}, "jo", false}, {})).size() == 2);
}

TEST_CASE("a patch of metadata replaces its own keys only", "[store]") {
    TestDb db = make_db();
    const TenantId acme = add_world(db).id;
    CHECK(must(get_metadata(db, acme)).data == "{}");
    must(merge_metadata(db, kBy, acme, R"({"a":{"x":1},"b":2})"));
    const auto merged = must(merge_metadata(db, kBy, acme, R"({"a":{"y":2},"c":null})"));
    CHECK(merged.data == R"({"a":{"y":2},"b":2,"c":null})");
    CHECK(merged.created == kNow);
    CHECK(must(replace_metadata(db, kBy, acme, R"({"z":1})")).data == R"({"z":1})");

    CHECK_FAILS(merge_metadata(db, kBy, acme, "[1]"), FailureKind::unprocessable,
                "'metadata' is no JSON object");
    CHECK_FALSE(merge_metadata(db, kBy, acme, "{"));
    const std::string huge = R"({"a":")" + std::string(limits::kMetadataBytes, 'x') + "\"}";
    CHECK_FAILS(merge_metadata(db, kBy, acme, huge), FailureKind::over_limit, "at most");
    CHECK(must(get_metadata(db, acme)).data == R"({"z":1})");
}
