// Rotation of keys, manifests, the walk along the audit.
#include "store/connection_rows.h"
#include "store/manifests.h"
#include "store/rotations.h"
#include "store/vault_view.h"
#include "tests/faults/places.h"

namespace berth::test {
namespace {

using enum Effect;

Result<std::string> done() { return std::string{"done"}; }
tl::unexpected<Failure> nothing(const char* what) {
    return fail(FailureKind::not_found, "there is no {}", what);
}

std::uint32_t some_term(Db& db, Dice& dice) {
    return static_cast<std::uint32_t>(dice.any(db, "keks", "term"));
}

Result<RotationRow> begin_one(Db& db, Dice& dice) {
    switch (dice.below(3)) {
        case 0:
            return begin_rotation(db, dice.by(), RotationKind::root, {},
                                  static_cast<std::uint32_t>(dice.below(1'000)));
        case 1: return begin_rotation(db, dice.by(), RotationKind::kek, {}, some_term(db, dice));
        default: break;
    }
    std::optional<KeyScope> scope;
    if (dice.one_in(2)) scope = scope_with_key(db, dice);
    return begin_rotation(db, dice.by(), RotationKind::data, scope, newest_data_key(db));
}

// The one that is under way, or one that begins now.
Result<RotationRow> open_rotation(Db& db, Dice& dice) {
    const auto last = last_rotation(db);
    if (last && !last->finished) return *last;
    return begin_one(db, dice);
}

// Of all data keys there are.
RotationRow of_all_data_keys(Db& db) {
    RotationRow rotation;
    rotation.kind = RotationKind::data;
    rotation.target = static_cast<std::uint32_t>(
        db.must("select coalesce(max(id), 0) from data_keys").integer(0));
    return rotation;
}

Result<DataKeyRow> successor(Db& db, Dice& dice, const DataKeyRow& old) {
    auto id = reserve_data_key_id(db);
    if (!id) return pass_on(id);
    return DataKeyRow{*id, old.scope, old.kek_term, dice.envelope()};
}

Result<std::string> succeed_one(Db& db, Dice& dice) {
    auto old = get_data_key(db, scope_with_key(db, dice));
    if (!old) return pass_on(old);
    auto next = successor(db, dice, *old);
    if (!next) return pass_on(next);
    return answer(succeed_data_key(db, dice.by(), *old, *next));
}

Result<std::string> drop_one(Db& db, Dice& dice) {
    const auto retired = next_retired_data_key(db, of_all_data_keys(db));
    if (!retired) return nothing("retired data key");
    return answer(drop_data_key(db, dice.by(), *retired));
}

std::vector<std::string> envelopes(Dice& dice, std::size_t count) {
    std::vector<std::string> made;
    while (made.size() < count)
        made.push_back(dice.envelope());
    return made;
}

// The key that some sealed field is under; it may be made up.
DataKeyRow key_in_use(Db& db, Dice& dice) {
    DataKeyRow key;
    key.id = static_cast<std::uint32_t>(dice.any(db, "secrets", "key_id"));
    return key;
}

Result<std::string> reseal(Db& db, Dice& dice) {
    const DataKeyRow key = key_in_use(db, dice);
    const auto sealed = secrets_under(db, key, 5);
    if (sealed.empty()) return nothing("sealed field");
    return answer(replace_secrets(db, dice.by(), key, sealed, envelopes(dice, sealed.size())));
}

Result<std::string> seal_one(Db& db, Dice& dice) {
    auto place = some_place(db, dice);
    if (!place) return pass_on(place);
    auto reserved = reserve_secrets(db, dice.by(), place->owner, place->connector);
    if (!reserved) return pass_on(reserved);
    return answer(put_secret(db, reserved->connection, reserved->version,
                             some_fields(db, dice, reserved->scope).front()));
}

Result<std::string> put_list(Db& db, Dice& dice) {
    const KeyScope scope = scope_with_key(db, dice);
    auto key = get_data_key(db, scope);
    if (!key) return pass_on(key);
    return answer(
        put_manifest(db, {scope, key->id, get_manifest(db, scope).counter + 1, dice.hex(32)}));
}

// Of some scope with a list.
KeyScope listed_scope(Db& db, Dice& dice) {
    const auto row = db.one("select scope_kind, scope_id from manifests where rowid = $1",
                            {dice.any(db, "manifests", "rowid")});
    if (!row) return {};
    return {row->text(0) == "tenant" ? KeyScope::Kind::tenant : KeyScope::Kind::integration,
            row->integer(1)};
}

}  // namespace

std::vector<Operation> vault_operations() {
    return {
        {"begin_rotation", writes, 3,
         [](Db& db, Dice& dice) { return answer(begin_one(db, dice)); }},
        {"last_rotation", reads, 1, [](Db& db, Dice&) { return answer(last_rotation(db)); }},
        {"rotation_left", reads, 1,
         [](Db& db, Dice&) -> Result<std::string> {
             const auto last = last_rotation(db);
             if (!last) return nothing("rotation");
             return answer(rotation_left(db, *last));
         }},
        {"finish_rotation", writes, 2,
         [](Db& db, Dice& dice) {
             auto rotation = open_rotation(db, dice);
             if (!rotation) return Result<std::string>{pass_on(rotation)};
             finish_rotation(db, dice.by(), *rotation);
             return done();
         }},
        {"keks_of_other_roots", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(keks_of_other_roots(db, static_cast<std::uint32_t>(dice.below(1'000))));
         }},
        {"replace_keks", writes, 1,
         [](Db& db, Dice& dice) {
             const auto keks = list_keks(db);
             return answer(replace_keks(db, dice.by(), keks, envelopes(dice, keks.size())));
         }},
        {"data_keys_before", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(data_keys_before(db, some_term(db, dice) + 1, 20));
         }},
        {"replace_data_keys", writes, 1,
         [](Db& db, Dice& dice) {
             const std::uint32_t term = some_term(db, dice);
             const auto keys = data_keys_before(db, term, 20);
             return answer(
                 replace_data_keys(db, dice.by(), keys, envelopes(dice, keys.size()), term));
         }},
        {"drop_unused_keks", writes, 1,
         [](Db& db, Dice& dice) { return answer(drop_unused_keks(db, dice.by())); }},
        {"newest_data_key", reads, 1, [](Db& db, Dice&) { return answer(newest_data_key(db)); }},
        {"next_old_data_key", reads, 1,
         [](Db& db, Dice&) { return answer(next_old_data_key(db, of_all_data_keys(db))); }},
        {"next_retired_data_key", reads, 1,
         [](Db& db, Dice&) { return answer(next_retired_data_key(db, of_all_data_keys(db))); }},
        {"succeed_data_key", writes, 3, succeed_one},
        {"drop_data_key", writes, 2, drop_one},
        {"secrets_under", reads, 1,
         [](Db& db, Dice& dice) { return answer(secrets_under(db, key_in_use(db, dice), 20)); }},
        {"replace_secrets", writes, 1, reseal},
        {"look_at_vault", reads, 1,
         [](Db& db, Dice&) {
             const VaultView view = look_at_vault(db);
             return answer(fmt::format("{} {} {}", view.keks.size(), view.data_keys, view.secrets));
         }},
        {"data_key_of", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const KeyScope scope = scope_with_key(db, dice);
             auto key = get_data_key(db, scope);
             if (!key) return pass_on(key);
             return answer(data_key_of(db, scope, envelope_under(dice, key->id)));
         }},
        {"put_secret", writes, 1, seal_one},
        {"put_manifest", writes, 2, put_list},
        {"get_manifest", reads, 1,
         [](Db& db, Dice& dice) {
             return answer(get_manifest(db, listed_scope(db, dice)).counter);
         }},
        {"signed_list", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto list = signed_list(db, listed_scope(db, dice));
             if (!list) return pass_on(list);
             return fmt::format("{} {}", list->manifest.counter, list->entries.size());
         }},
        {"secrets_of", reads, 1,
         [](Db& db, Dice& dice) { return answer(secrets_of(db, scope_with_key(db, dice))); }},
        {"envelope_of", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             const auto row = db.one(
                 "select connection_id, field, version from secrets"
                 " where rowid = $1",
                 {dice.any(db, "secrets", "rowid")});
             if (!row) return nothing("sealed field");
             auto connection = get_connection(db, ConnectionId{row->integer(0)});
             if (!connection) return pass_on(connection);
             return answer(envelope_of(db, scope_of(*connection), connection->connector_id.value,
                                       row->text(1), static_cast<std::uint64_t>(row->integer(2))));
         }},
        {"scopes_without_manifest", reads, 1,
         [](Db& db, Dice&) { return answer(scopes_without_manifest(db, 50)); }},
        {"audit_head", reads, 1, [](Db& db, Dice&) { return answer(audit_head(db).seq); }},
        {"step", reads, 1,
         [](Db& db, Dice&) -> Result<std::string> {
             AuditWalk walk;
             auto end = walk.step(db, 7);
             if (!end) return pass_on(end);
             return fmt::format("{} {}", *end, walk.head().seq);
         }},
    };
}

}  // namespace berth::test
