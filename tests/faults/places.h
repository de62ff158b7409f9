// Who may hold connections, what there is of them, and keys: what the operations on secrets,
// tokens, webhooks and jobs are done to. What is not there yet is made where that is allowed.
#pragma once

#include "store/connections.h"
#include "store/keys.h"
#include "store/secrets.h"
#include "tests/faults/operations.h"

namespace berth::test {

// Somebody who may have a connection of a connector.
struct Place {
    ConnectionOwner owner;
    std::string connector;
};
Result<Place> some_place(Db& db, Dice& dice);
// A tenant whose integration uses the connector, global or not.
struct Address {
    TenantId tenant;
    ConnectorId connector_id;
    std::string connector;
};
Result<Address> some_address(Db& db, Dice& dice);

template <typename Then>
Result<std::string> with_place(Db& db, Dice& dice, Then then) {
    auto place = some_place(db, dice);
    if (!place) return pass_on(place);
    return answer(then(*place));
}
template <typename Then>
Result<std::string> with_address(Db& db, Dice& dice, Then then) {
    auto address = some_address(db, dice);
    if (!address) return pass_on(address);
    return answer(then(*address));
}

// Looks only.
Result<Connection> known_connection(Db& db, Dice& dice);
// Opens one, if need be.
Result<Connection> some_connection(Db& db, Dice& dice);

// As `column = any of them` says; 0 or empty text when there is none.
std::string any_text(Db& db, Dice& dice, const std::string& table, const std::string& column);

// A scope with a data key; id 0 when there is none.
KeyScope scope_with_key(Db& db, Dice& dice);
// That of the scope, made if there is none.
Result<DataKeyRow> key_of(Db& db, Dice& dice, const KeyScope& scope);
// Made up, as if sealed under that key.
std::string envelope_under(Dice& dice, std::uint32_t key_id);
// Fields `field-0` ... under the scope's key, if it has one.
std::vector<SealedField> some_fields(Db& db, Dice& dice, const KeyScope& scope);

}  // namespace berth::test
