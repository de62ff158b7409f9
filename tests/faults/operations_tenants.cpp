// Tenants, keys and secrets.
#include "store/tenants.h"
#include "tests/faults/places.h"

namespace berth::test {
namespace {

using enum Effect;

TenantId some_tenant(Db& db, Dice& dice) { return {dice.any(db, "tenants")}; }

Result<std::string> create_one(Db& db, Dice& dice) {
    if (auto ok = at_most(db, "tenants", 12); !ok) return pass_on(ok);
    Tenant wanted;
    wanted.integration_id = {dice.any(db, "integrations")};
    wanted.name = fmt::format("acme-{}", dice.below(20));
    wanted.user_name = fmt::format("user-{}", dice.below(20));
    wanted.release_channel = Channel::Default;
    return answer(create_tenant(db, dice.by(), wanted));
}

Result<std::string> update_one(Db& db, Dice& dice) {
    auto tenant = get_tenant(db, some_tenant(db, dice));
    if (!tenant) return pass_on(tenant);
    tenant->configs = fmt::format(R"({{"a":"{}"}})", dice.hex(dice.below(2000)));
    tenant->paused = dice.one_in(4);
    return answer(update_tenant(db, dice.by(), *tenant));
}

Result<std::string> find_one(Db& db, Dice& dice) {
    auto tenant = get_tenant(db, some_tenant(db, dice));
    if (!tenant) return pass_on(tenant);
    return answer(find_tenant_of_user(db, tenant->integration_id, tenant->user_name));
}

std::string some_metadata(Dice& dice) {
    return fmt::format(R"({{"k{}":"{}"}})", dice.below(5), dice.hex(dice.below(4000)));
}

KeyScope some_scope(Db& db, Dice& dice) {
    return dice.one_in(3) ? KeyScope{KeyScope::Kind::integration, dice.any(db, "integrations")}
                          : KeyScope{KeyScope::Kind::tenant, dice.any(db, "tenants")};
}
Result<std::string> add_key(Db& db, Dice& dice) {
    auto id = reserve_data_key_id(db);
    if (!id) return pass_on(id);
    return answer(
        add_data_key(db, dice.by(),
                     {*id, some_scope(db, dice),
                      static_cast<std::uint32_t>(dice.any(db, "keks", "term")), dice.envelope()}));
}

Result<std::string> rewrap_key(Db& db, Dice& dice) {
    auto key = get_data_key(db, scope_with_key(db, dice));
    if (!key) return pass_on(key);
    key->envelope = dice.envelope();
    return answer(rewrap_data_key(db, dice.by(), *key));
}

Result<std::string> add_term(Db& db, Dice& dice) {
    if (auto ok = at_most(db, "keks", 6); !ok) return pass_on(ok);
    return answer(
        add_kek(db, dice.by(), {static_cast<std::uint32_t>(dice.below(8) + 1), dice.envelope()}));
}

Result<std::string> store_secrets(Db& db, Dice& dice) {
    auto place = some_place(db, dice);
    if (!place) return pass_on(place);
    auto reserved = reserve_secrets(db, dice.by(), place->owner, place->connector);
    if (!reserved) return pass_on(reserved);
    return answer(set_secrets(db, dice.by(), reserved->connection.id, reserved->version,
                              some_fields(db, dice, reserved->scope)));
}

}  // namespace

std::vector<Operation> tenant_operations() {
    return {
        {"create_tenant", writes, 4, create_one},
        {"get_tenant", reads, 1,
         [](Db& db, Dice& dice) { return answer(get_tenant(db, some_tenant(db, dice))); }},
        {"list_tenants", reads, 1, [](Db& db, Dice&) { return answer(list_tenants(db, {}, {})); }},
        {"find_tenant_of_user", reads, 1, find_one},
        {"update_tenant", writes, 4, update_one},
        {"archive_tenant", writes, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             if (!dice.one_in(6)) return fail(FailureKind::busy, "not now");
             return answer(archive_tenant(db, dice.by(), some_tenant(db, dice)));
         }},
        {"set_dynamic_configs", writes, 2,
         [](Db& db, Dice& dice) {
             return answer(set_dynamic_configs(db, dice.by(), some_tenant(db, dice),
                                               R"({"list":[{"value":1}]})"));
         }},
        {"get_metadata", reads, 1,
         [](Db& db, Dice& dice) { return answer(get_metadata(db, some_tenant(db, dice))); }},
        {"replace_metadata", writes, 2,
         [](Db& db, Dice& dice) {
             return answer(
                 replace_metadata(db, dice.by(), some_tenant(db, dice), some_metadata(dice)));
         }},
        {"merge_metadata", writes, 2,
         [](Db& db, Dice& dice) {
             return answer(
                 merge_metadata(db, dice.by(), some_tenant(db, dice), some_metadata(dice)));
         }},
        {"waiting_triggers", reads, 1,
         [](Db& db, Dice& dice) { return answer(waiting_triggers(db, some_tenant(db, dice))); }},
        {"reserve_data_key_id", writes, 1,
         [](Db& db, Dice&) { return answer(reserve_data_key_id(db)); }},
        {"add_data_key", writes, 2, add_key},
        {"get_data_key", reads, 1,
         [](Db& db, Dice& dice) { return answer(get_data_key(db, scope_with_key(db, dice))); }},
        {"rewrap_data_key", writes, 1, rewrap_key},
        {"delete_data_key", writes, 1,
         [](Db& db, Dice& dice) {
             return answer(delete_data_key(db, dice.by(), scope_with_key(db, dice)));
         }},
        {"add_kek", writes, 1, add_term},
        {"list_keks", reads, 1, [](Db& db, Dice&) { return answer(list_keks(db)); }},
        {"reserve_secrets", writes, 1,
         [](Db& db, Dice& dice) {
             return with_place(db, dice, [&](const Place& place) -> Result<std::uint64_t> {
                 auto made = reserve_secrets(db, dice.by(), place.owner, place.connector);
                 if (!made) return pass_on(made);
                 return made->version;
             });
         }},
        {"set_secrets", writes, 3, store_secrets},
        {"get_connection", reads, 1,
         [](Db& db, Dice& dice) {
             return with_place(db, dice, [&](const Place& place) {
                 return get_connection(db, place.owner, place.connector);
             });
         }},
        {"connections_of", reads, 1,
         [](Db& db, Dice& dice) { return answer(connections_of(db, some_tenant(db, dice))); }},
        {"disconnect", writes, 1,
         [](Db& db, Dice& dice) {
             return with_place(db, dice, [&](const Place& place) {
                 return disconnect(db, dice.by(), place.owner, place.connector, "test");
             });
         }},
        {"secrets_for_run", writes, 1,
         [](Db& db, Dice& dice) {
             return answer(secrets_for_run(db, dice.by(), RunId{dice.any(db, "runs")}));
         }},
    };
}

}  // namespace berth::test
