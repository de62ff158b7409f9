// Integrations, releases, connectors, settings and the audit trail.
#include "store/connectors.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/settings.h"
#include "store/tenants.h"
#include "tests/faults/operations.h"

namespace berth::test {
namespace {

using enum Effect;

IntegrationId some_integration(Db& db, Dice& dice) { return {dice.any(db, "integrations")}; }
ReleaseId some_release(Db& db, Dice& dice) { return {dice.any(db, "releases")}; }
IntegrationId owner_of(Db& db, ReleaseId release) {
    const auto row = db.one("select integration_id from releases where id = $1", {release});
    return {row ? row->integer(0) : 0};
}
std::string some_connector(Dice& dice) { return fmt::format("connector-{}", dice.below(4)); }

Result<std::string> create_one(Db& db, Dice& dice) {
    if (auto ok = at_most(db, "integrations", 5); !ok) return pass_on(ok);
    Integration wanted;
    wanted.name = fmt::format("shop-{}", dice.below(12));
    wanted.default_release_channel = Channel::Latest;
    if (dice.one_in(2)) wanted.connectors = {{some_connector(dice), false}};
    return answer(create_integration(db, dice.by(), wanted));
}

Result<std::string> update_one(Db& db, Dice& dice) {
    auto integration = get_integration(db, some_integration(db, dice));
    if (!integration) return pass_on(integration);
    integration->long_name = dice.hex(dice.below(100));
    integration->paused = dice.one_in(10);
    integration->on_lost = dice.one_in(2) ? OnLost::retry : OnLost::fail;
    return answer(update_integration(db, dice.by(), *integration));
}

Result<std::string> release_one(Db& db, Dice& dice) {
    if (auto ok = at_most(db, "releases", 12); !ok) return pass_on(ok);
    Release wanted;
    wanted.integration_id = some_integration(db, dice);
    wanted.content_hash = dice.hex(2);
    wanted.run_command = "true";
    wanted.config_schema = std::string(dice.below(3000), 'c');
    return answer(create_release(db, dice.by(), wanted));
}

Result<std::string> release_of_some_tenant(Db& db, Dice& dice) {
    auto tenant = get_tenant(db, TenantId{dice.any(db, "tenants")});
    if (!tenant) return pass_on(tenant);
    auto integration = get_integration(db, tenant->integration_id);
    if (!integration) return pass_on(integration);
    return answer(release_for(db, *tenant, *integration));
}

}  // namespace

std::vector<Operation> catalog_operations() {
    return {
        {"create_integration", writes, 3, create_one},
        {"update_integration", writes, 3, update_one},
        {"get_integration", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(get_integration(db, some_integration(db, dice)));
         }},
        {"get_integration_by_name", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(get_integration_by_name(db, fmt::format("shop-{}", dice.below(12))));
         }},
        {"list_integrations", reads, 1,
         [](Db& db, Dice&) { return answer(list_integrations(db, false, {})); }},
        {"create_release", writes, 3, release_one},
        {"get_release", reads, 1,
         [](Db& db, Dice& dice) { return answer(get_release(db, some_release(db, dice))); }},
        {"get_release_of", reads, 1,
         [](Db& db, Dice& dice) {
             const ReleaseId release = some_release(db, dice);
             return answer(get_release_of(db, owner_of(db, release), release));
         }},
        {"list_releases", reads, 1,
         [](Db& db, Dice& dice) { return answer(list_releases(db, some_integration(db, dice))); }},
        {"latest_release", reads, 1,
         [](Db& db, Dice& dice) { return answer(latest_release(db, some_integration(db, dice))); }},
        {"default_release", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(default_release(db, some_integration(db, dice)));
         }},
        {"set_default_release", writes, 2,
         [](Db& db, Dice& dice) {
             const ReleaseId release = some_release(db, dice);
             return answer(set_default_release(db, dice.by(), owner_of(db, release), release));
         }},
        {"release_for", reads, 1, release_of_some_tenant},
        {"create_connector", writes, 1,
         [](Db& db, Dice& dice) {
             return answer(create_connector(db, dice.by(), some_connector(dice), "custom"));
         }},
        {"get_connector", reads, 1,
         [](Db& db, Dice& dice) { return answer(get_connector(db, some_connector(dice))); }},
        {"list_connectors", reads, 1,
         [](Db& db, Dice&) { return answer(list_connectors(db, {})); }},
        {"attach_connector", writes, 2,
         [](Db& db, Dice& dice) {
             return answer(attach_connector(db, dice.by(), some_integration(db, dice),
                                            {some_connector(dice), dice.one_in(3)}));
         }},
        {"connectors_of", reads, 1,
         [](Db& db, Dice& dice) { return answer(connectors_of(db, some_integration(db, dice))); }},
        {"get_setting", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(get_setting(db, fmt::format("setting-{}", dice.below(4))));
         }},
        {"set_setting", writes, 2,
         [](Db& db, Dice& dice) {
             set_setting(db, dice.by(), fmt::format("setting-{}", dice.below(4)), dice.hex(8));
             return Result<std::string>{"done"};
         }},
        {"install_id", writes, 1,
         [](Db& db, Dice& dice) { return answer(install_id(db, dice.by())); }},
        {"audit", writes, 2,
         [](Db& db, Dice& dice) {
             audit(db, dice.by(), "test.audit", "test", dice.hex(dice.below(40)));
             return Result<std::string>{"done"};
         }},
        {"list_audit", reads, 1, [](Db& db, Dice&) { return answer(list_audit(db, 0, 50)); }},
        {"verify_audit", reads, 1, [](Db& db, Dice&) { return answer(verify_audit(db)); }},
    };
}

}  // namespace berth::test
