// Connections, their fields and history, provisioning, auth links, and the end of a tenant.
#include "store/auth_links.h"
#include "store/connection_rows.h"
#include "store/connection_secrets.h"
#include "store/deletion.h"
#include "store/provisioning.h"
#include "tests/faults/places.h"

namespace berth::test {
namespace {

using enum Effect;

Result<std::string> done() { return std::string{"done"}; }

std::map<std::string, std::string> some_texts(Dice& dice) {
    std::map<std::string, std::string> texts;
    for (std::size_t i = 0; i <= dice.below(3); ++i)
        texts[fmt::format("text-{}", i)] = dice.one_in(5) ? "" : dice.hex(8);
    return texts;
}

ConnectionStatus some_status(Dice& dice) {
    return dice.one_in(2) ? ConnectionStatus::connected : ConnectionStatus::failed_refresh;
}

template <typename Then>
Result<std::string> with_known(Db& db, Dice& dice, Then then) {
    auto connection = known_connection(db, dice);
    if (!connection) return pass_on(connection);
    return answer(then(*connection));
}

Result<std::string> provision(Db& db, Dice& dice) {
    auto place = some_place(db, dice);
    if (!place) return pass_on(place);
    auto reserved =
        reserve_provisioning(db, dice.by(), place->owner.integration_id, place->connector);
    if (!reserved) return pass_on(reserved);
    auto fields = some_fields(db, dice, reserved->scope);
    for (SealedField& field : fields)
        field.field = provisioned_name(field.field);
    return answer(set_provisioning(db, dice.by(), reserved->connection.id, reserved->version,
                                   fields, some_texts(dice)));
}

// A field under a key that is there, and its use.
Result<std::string> use_secrets(Db& db, Dice& dice) {
    auto place = some_place(db, dice);
    if (!place) return pass_on(place);
    auto reserved = reserve_secrets(db, dice.by(), place->owner, place->connector);
    if (!reserved) return pass_on(reserved);
    auto key = key_of(db, dice, reserved->scope);
    if (!key) return pass_on(key);
    const std::vector<SealedField> sealed{{"token", envelope_under(dice, key->id)}};
    auto stored = set_secrets(db, dice.by(), reserved->connection.id, reserved->version, sealed);
    if (!stored) return pass_on(stored);
    const std::vector<std::string> only{"token"};
    auto material = connection_secrets(db, dice.by(), stored->id, "test", only);
    if (!material) return pass_on(material);
    return say(material->secrets.size());
}

Result<std::string> link(Db& db, Dice& dice) {
    AuthLinkRow wanted;
    wanted.tenant_id = {dice.any(db, "tenants")};
    wanted.serial = dice.hex(16);
    wanted.token_hash = dice.hex(64);
    auto made = put_auth_link(db, dice.by(), wanted);
    if (!made) return pass_on(made);
    return made->serial;
}

TenantId linked_tenant(Db& db, Dice& dice) { return {dice.any(db, "auth_links", "tenant_id")}; }

std::vector<Operation> looks() {
    return {
        {"get_provisioning", reads, 1,
         [](Db& db, Dice& dice) {
             return with_place(db, dice, [&](const Place& place) {
                 return get_provisioning(db, place.owner.integration_id, place.connector);
             });
         }},
        {"look_at_connection", reads, 1,
         [](Db& db, Dice& dice) {
             return with_place(db, dice, [&](const Place& place) {
                 return look_at_connection(db, place.owner, place.connector);
             });
         }},
        {"check_owner", reads, 1,
         [](Db& db, Dice& dice) {
             return with_place(db, dice, [&](const Place& place) {
                 return check_owner(db, place.owner, place.connector);
             });
         }},
        {"find_connection", reads, 1,
         [](Db& db, Dice& dice) {
             return with_known(db, dice, [&](const Connection& known) {
                 const auto row = find_connection(db, {known.integration_id, known.tenant_id},
                                                  known.connector_id);
                 return row ? row->integer(0) : 0;
             });
         }},
        {"read_connection", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto row =
                 db.one(fmt::format("{} where connections.id = $1 and part = 'connection'",
                                    kSelectConnection),
                        {dice.any(db, "connections")});
             if (!row) return fail(FailureKind::not_found, "there is no connection");
             return say(read_connection(db, *row).fields);
         }},
        {"read_fields", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(read_fields(db, {dice.any(db, "connection_fields", "connection_id")}));
         }},
        {"secret_names", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(secret_names(db, {dice.any(db, "secrets", "connection_id")}));
         }},
        {"check_version", reads, 1,
         [](Db& db, Dice& dice) {
             const ConnectionId id{dice.any(db, "secrets", "connection_id")};
             if (!id) return Result<std::string>{fail(FailureKind::not_found, "no secret")};
             return answer(check_version(db, id, 1));
         }},
        {"connection_history", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(
                 connection_history(db, {dice.any(db, "connection_events", "connection_id")})
                     .size());
         }},
        {"count_connections", reads, 1,
         [](Db& db, Dice&) { return answer(count_connections(db)); }},
        {"fields_for_run", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(fields_for_run(db, RunId{dice.any(db, "runs")}));
         }},
        {"get_auth_link", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto found = get_auth_link(db, linked_tenant(db, dice));
             if (!found) return pass_on(found);
             return *found ? (*found)->serial : "none";
         }},
        {"find_auth_link", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto whose = find_auth_link(db, any_text(db, dice, "auth_links", "token_hash"));
             if (!whose) return fail(FailureKind::not_found, "there is no link");
             return whose->str();
         }},
    };
}

}  // namespace

std::vector<Operation> connection_operations() {
    std::vector<Operation> operations = looks();
    const std::vector<Operation> changes{
        {"open_connection", writes, 2,
         [](Db& db, Dice& dice) { return answer(some_connection(db, dice)); }},
        {"next_version", writes, 1,
         [](Db& db, Dice& dice) {
             return with_known(db, dice,
                               [&](const Connection& known) { return next_version(db, known.id); });
         }},
        {"set_connection_status", writes, 2,
         [](Db& db, Dice& dice) {
             return with_known(db, dice, [&](const Connection& known) {
                 return set_connection_status(db, dice.by(), known.id, some_status(dice),
                                              dice.hex(4));
             });
         }},
        {"add_event", writes, 1,
         [](Db& db, Dice& dice) {
             return with_known(db, dice, [&](const Connection& known) {
                 add_event(db, dice.by(), known.id, some_status(dice), "test");
                 return done();
             });
         }},
        {"write_fields", writes, 1,
         [](Db& db, Dice& dice) {
             return with_known(db, dice, [&](const Connection& known) {
                 write_fields(db, known.id, some_texts(dice));
                 return done();
             });
         }},
        {"connection_secrets", writes, 2, use_secrets},
        {"reserve_provisioning", writes, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto place = some_place(db, dice);
             if (!place) return pass_on(place);
             auto reserved =
                 reserve_provisioning(db, dice.by(), place->owner.integration_id, place->connector);
             if (!reserved) return pass_on(reserved);
             return say(reserved->version);
         }},
        {"set_provisioning", writes, 2, provision},
        {"delete_provisioning", writes, 1,
         [](Db& db, Dice& dice) {
             return with_place(db, dice, [&](const Place& place) {
                 return delete_provisioning(db, dice.by(), place.owner.integration_id,
                                            place.connector);
             });
         }},
        {"put_auth_link", writes, 2, link},
        {"delete_auth_link", writes, 1,
         [](Db& db, Dice& dice) {
             return answer(delete_auth_link(db, dice.by(), linked_tenant(db, dice)));
         }},
        // The stores of the tests would die out.
        {"delete_tenant", writes, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             if (!dice.one_in(4)) return fail(FailureKind::busy, "not now");
             return answer(delete_tenant(db, dice.by(), {dice.any(db, "tenants")}));
         }},
    };
    operations.insert(operations.end(), changes.begin(), changes.end());
    return operations;
}

}  // namespace berth::test
