#include "tests/faults/places.h"

namespace berth::test {

Result<Place> some_place(Db& db, Dice& dice) {
    const auto rowid = dice.any(db, "integration_connectors", "rowid");
    const auto row = db.one(
        "select integration_id, name, is_global from integration_connectors"
        " join connectors on connectors.id = connector_id"
        " where integration_connectors.rowid = $1",
        {rowid});
    if (!row) return fail(FailureKind::not_found, "no connector is used");
    Place place{{IntegrationId{row->integer(0)}, {}}, row->text(1)};
    if (row->integer(2) != 0) return place;
    const auto tenant = db.one(
        "select id from tenants where integration_id = $1 and archived = 0 order by id limit 1",
        {place.owner.integration_id});
    if (!tenant) return fail(FailureKind::not_found, "there is no tenant for a secret");
    place.owner.tenant_id = TenantId{tenant->integer(0)};
    return place;
}

Result<Address> some_address(Db& db, Dice& dice) {
    const auto row = db.one(
        "select tenants.id, connectors.id, connectors.name from integration_connectors as used"
        " join connectors on connectors.id = used.connector_id"
        " join tenants on tenants.integration_id = used.integration_id"
        " where used.rowid = $1 and archived = 0 order by tenants.id limit 1",
        {dice.any(db, "integration_connectors", "rowid")});
    if (!row) return fail(FailureKind::not_found, "no tenant's integration uses a connector");
    return Address{TenantId{row->integer(0)}, ConnectorId{row->integer(1)}, row->text(2)};
}

Result<Connection> known_connection(Db& db, Dice& dice) {
    return get_connection(db, ConnectionId{dice.any(db, "connections")});
}

Result<Connection> some_connection(Db& db, Dice& dice) {
    auto place = some_place(db, dice);
    if (!place) return pass_on(place);
    return open_connection(db, dice.by(), place->owner, place->connector);
}

std::string any_text(Db& db, Dice& dice, const std::string& table, const std::string& column) {
    const auto row = db.one("select " + column + " from " + table + " where rowid = $1",
                            {dice.any(db, table, "rowid")});
    return row ? row->text(0) : std::string{};
}

KeyScope scope_with_key(Db& db, Dice& dice) {
    const auto id = dice.any(db, "data_keys");
    const auto row = db.one("select scope_kind, scope_id from data_keys where id = $1", {id});
    if (!row) return {};
    return {row->text(0) == "tenant" ? KeyScope::Kind::tenant : KeyScope::Kind::integration,
            row->integer(1)};
}

Result<DataKeyRow> key_of(Db& db, Dice& dice, const KeyScope& scope) {
    if (auto there = get_data_key(db, scope)) return there;
    auto term = static_cast<std::uint32_t>(dice.any(db, "keks", "term"));
    if (term == 0) {
        term = 1;
        if (auto added = add_kek(db, dice.by(), {term, dice.envelope()}); !added)
            return pass_on(added);
    }
    auto id = reserve_data_key_id(db);
    if (!id) return pass_on(id);
    if (auto added = add_data_key(db, dice.by(), {*id, scope, term, dice.envelope()}); !added)
        return pass_on(added);
    return get_data_key(db, scope);
}

std::string envelope_under(Dice& dice, std::uint32_t key_id) {
    std::string envelope = dice.envelope();
    for (std::size_t byte = 0; byte < sizeof key_id; ++byte)
        envelope[9 - byte] = static_cast<char>(key_id >> (8 * byte));
    return envelope;
}

std::vector<SealedField> some_fields(Db& db, Dice& dice, const KeyScope& scope) {
    const auto key = get_data_key(db, scope);
    std::vector<SealedField> fields;
    for (std::size_t i = 0; i <= dice.below(3); ++i)
        fields.push_back(
            {fmt::format("field-{}", i), key ? envelope_under(dice, key->id) : dice.envelope()});
    return fields;
}

}  // namespace berth::test
