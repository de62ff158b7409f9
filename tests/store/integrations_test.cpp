#include "store/integrations.h"

#include "store/connectors.h"
#include "store/releases.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

TEST_CASE("an integration comes back as it was written", "[store]") {
    TestDb db = make_db();
    Integration wanted;
    wanted.name = "shop-sync";
    wanted.long_name = "Shop to CRM";
    wanted.network = NetworkMode::host;
    wanted.on_lost = OnLost::retry;
    wanted.wall_time = std::chrono::seconds{90};
    wanted.memory_bytes = 64 << 20;
    wanted.connectors = {{"crm", true}, {"shop", false}};

    const Integration made = must(create_integration(db, kBy, wanted));

    const Integration read = must(get_integration(db, made.id));
    CHECK(read.name == "shop-sync");
    CHECK(read.long_name == "Shop to CRM");
    CHECK(read.network == NetworkMode::host);
    CHECK(read.on_lost == OnLost::retry);
    CHECK(read.wall_time == std::chrono::seconds{90});
    CHECK(read.memory_bytes == 64 << 20);
    CHECK(read.connectors == wanted.connectors);
    CHECK(read.created == kNow);
    CHECK_FALSE(read.default_release_id);
    CHECK(must(get_integration_by_name(db, "shop-sync")).id == made.id);
}

TEST_CASE("a name that is no slug is refused", "[store]") {
    TestDb db = make_db();
    const auto* name = GENERATE("", "Shop", "-shop", "shop-", "a b", "shop'; drop table runs", "ü",
                                "0123456789012345678901234567890123456789012345678901234567890123");
    Integration wanted;
    wanted.name = name;
    const auto made = create_integration(db, kBy, wanted);
    CHECK_FAILS(made, FailureKind::unprocessable, "lower-case letters, digits and inner '-'");
    CHECK(made.error().where == "name");
}

TEST_CASE("two integrations cannot have one name", "[store]") {
    TestDb db = make_db();
    add_integration(db, "shop");
    Integration other = add_integration(db, "other");

    Integration wanted;
    wanted.name = "shop";
    const auto made = create_integration(db, kBy, wanted);
    CHECK_FAILS(made, FailureKind::conflict, "there is an integration 'shop' already");
    CHECK(made.error().where == "name");
    other.name = "shop";
    CHECK_FAILS(update_integration(db, kBy, other), FailureKind::conflict,
                "there is an integration 'shop' already");
}

TEST_CASE("an integration that is not there is not found", "[store]") {
    TestDb db = make_db();
    const IntegrationId absent{GENERATE(std::int64_t{0}, std::int64_t{-1}, std::int64_t{7},
                                        std::numeric_limits<std::int64_t>::max())};
    CHECK_FAILS(get_integration(db, absent), FailureKind::not_found, "there is no integration");
    Integration changed;
    changed.id = absent;
    changed.name = "x";
    CHECK_FAILS(update_integration(db, kBy, changed), FailureKind::not_found,
                "there is no integration");
    CHECK_FAILS(latest_release(db, absent), FailureKind::not_found, "has no release");
    CHECK_FAILS(list_releases(db, absent), FailureKind::not_found, "there is no integration");
    CHECK_FAILS(attach_connector(db, kBy, absent, {"crm", false}), FailureKind::not_found,
                "there is no integration");
}

TEST_CASE("a list is sorted and cut as the page asks", "[store]") {
    TestDb db = make_db();
    for (const char* name : {"b", "c", "a"})
        add_integration(db, name);
    Integration hidden = must(get_integration_by_name(db, "c"));
    hidden.archived = true;
    must(update_integration(db, kBy, hidden));

    Page page;
    page.sort_field = "name";
    page.descending = true;
    const auto sorted = must(list_integrations(db, false, page));
    REQUIRE(sorted.size() == 2);
    CHECK(sorted[0].name == "b");
    page.skip = 1;
    page.limit = 1;
    CHECK(must(list_integrations(db, false, page)).at(0).name == "a");
    CHECK(must(list_integrations(db, true, {})).at(0).name == "c");
}

TEST_CASE("a page that asks for what is not there is refused with the cure", "[store]") {
    TestDb db = make_db();
    const auto page = [](std::int64_t skip, std::int64_t limit, std::string field) {
        return Page{skip, limit, std::move(field), false};
    };
    const auto sorted = list_integrations(db, false, page(0, 10, "id; drop table runs"));
    CHECK_FAILS(sorted, FailureKind::unprocessable,
                "the fields are 'id', 'name', 'long_name', 'created_date', 'modified_date'");
    CHECK(sorted.error().where == "sort_by");
    CHECK_FAILS(list_integrations(db, false, page(-1, 10, "")), FailureKind::unprocessable,
                "'skip' must be 0 or more");
    CHECK_FAILS(list_integrations(db, false, page(0, 501, "")), FailureKind::unprocessable,
                "between 1 and 500");
    CHECK_FAILS(list_integrations(db, false, page(0, 0, "")), FailureKind::unprocessable,
                "between 1 and 500");
}

TEST_CASE("the same content is the same release", "[store]") {
    TestDb db = make_db();
    const Integration shop = add_integration(db, "shop");
    const Integration other = add_integration(db, "other");
    const Release first = add_release(db, shop.id, "h1");
    CHECK(add_release(db, shop.id, "h1").id == first.id);
    CHECK(add_release(db, other.id, "h1").id != first.id);
    CHECK(must(list_releases(db, shop.id)).size() == 1);
}

TEST_CASE("a tenant runs its own release, its channel's, or the integration's", "[store]") {
    TestDb db = make_db();
    const Integration shop = add_integration(db, "shop");
    Tenant tenant = add_tenant(db, shop.id, "acme");
    const auto resolved = [&] {
        return release_for(db, tenant, must(get_integration(db, shop.id)));
    };
    CHECK_FAILS(resolved(), FailureKind::not_found, "has no release; push one");

    const Release old = add_release(db, shop.id, "h1");
    const Release latest = add_release(db, shop.id, "h2");
    CHECK(must(resolved()).id == latest.id);
    must(set_default_release(db, kBy, shop.id, old.id));
    CHECK(must(resolved()).id == old.id);
    CHECK(must(default_release(db, shop.id)).id == old.id);
    tenant.release_channel = Channel::Latest;
    CHECK(must(resolved()).id == latest.id);
    tenant.release_channel = Channel::Default;
    CHECK(must(resolved()).id == old.id);
    tenant.release_channel.reset();
    tenant.release_id = latest.id;
    CHECK(must(resolved()).id == latest.id);

    const Integration other = add_integration(db, "other");
    const Release foreign = add_release(db, other.id, "h3");
    CHECK_FAILS(set_default_release(db, kBy, shop.id, foreign.id), FailureKind::not_found,
                "has no release");
    tenant.release_id = foreign.id;
    CHECK_FAILS(resolved(), FailureKind::not_found, "has no release");
}
