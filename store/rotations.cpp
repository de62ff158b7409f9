#include "store/rotations.h"

#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select id, what, scope_kind, scope_id, target, total, actor, created, finished"
    " from rotations";
constexpr std::string_view kSelectKey =
    "select id, scope_kind, scope_id, kek_term, envelope from data_keys";

RotationRow read_rotation(const Row& row) {
    Columns c{row};
    RotationRow rotation;
    rotation.id = c.integer();
    rotation.kind = c.word(parse_rotation_kind);
    const auto kind = c.maybe([](Columns& inner) { return inner.word(parse_key_scope_kind); });
    const auto id = c.maybe([](Columns& inner) { return inner.integer(); });
    if (kind && id) rotation.scope = KeyScope{*kind, *id};
    rotation.target = static_cast<std::uint32_t>(c.integer());
    rotation.total = c.integer();
    rotation.actor = c.text();
    rotation.created = c.time();
    rotation.finished = c.maybe_time();
    return rotation;
}

DataKeyRow read_key(const Row& row) {
    Columns c{row};
    DataKeyRow key;
    key.id = static_cast<std::uint32_t>(c.integer());
    key.scope.kind = c.word(parse_key_scope_kind);
    key.scope.id = c.integer();
    key.kek_term = static_cast<std::uint32_t>(c.integer());
    key.envelope = c.text();
    return key;
}

std::optional<DataKeyRow> maybe_key(const std::optional<Row>& row) {
    if (!row) return {};
    return read_key(*row);
}

// Of a rotation of data keys: `and` its scope, when it has one. A literal of ours.
std::string only_scope(const RotationRow& rotation) {
    if (!rotation.scope) return {};
    return fmt::format(" and scope_kind = '{}' and scope_id = {}", to_string(rotation.scope->kind),
                       rotation.scope->id);
}

std::int64_t count(Db& db, std::string_view sql, Db::Literals params = {}) {
    return db.must(sql, params).integer(0);
}

}  // namespace

std::string name_of(const std::optional<KeyScope>& scope) {
    return scope ? fmt::format("{} {}", to_string(scope->kind), scope->id) : std::string{};
}

Result<RotationRow> begin_rotation(Db& db, const By& by, RotationKind kind,
                                   const std::optional<KeyScope>& scope, std::uint32_t target) {
    if (const auto open = db.one(fmt::format("{} where finished is null", kSelect)))
        return fail(FailureKind::conflict,
                    "a rotation ({}) is under way already; 'berth vault status' shows how far it "
                    "is",
                    to_string(read_rotation(*open).kind));
    RotationRow rotation{0, kind, scope, target, 0, by.actor, by.now, {}};
    rotation.total = rotation_left(db, rotation);
    const auto id = db.must(
        "insert into rotations (what, scope_kind, scope_id, target, total, actor, created)"
        " values ($1, $2, $3, $4, $5, $6, $7) returning id",
        {to_string(kind), scope ? Param{to_string(scope->kind)} : Param{nullptr},
         scope ? Param{scope->id} : Param{nullptr}, target, rotation.total, by.actor, by.now});
    rotation.id = id.integer(0);
    audit(db, by, "vault.rotate", fmt::format("rotation {}", rotation.id),
          fmt::format("{}{}{}", to_string(kind), scope ? " of " : "", name_of(scope)));
    return rotation;
}

std::optional<RotationRow> last_rotation(Db& db) {
    const auto row = db.one(fmt::format("{} order by id desc limit 1", kSelect));
    if (!row) return {};
    return read_rotation(*row);
}

std::int64_t rotation_left(Db& db, const RotationRow& rotation) {
    switch (rotation.kind) {
        case RotationKind::root:
            return count(db, "select count(*) from keks where key_id <> $1", {rotation.target});
        case RotationKind::kek:
            return count(db, "select count(*) from data_keys where kek_term < $1",
                         {rotation.target});
        case RotationKind::data:
            return count(db,
                         fmt::format("select count(*) from data_keys where id <= $1{}",
                                     only_scope(rotation)),
                         {rotation.target}) +
                   count(db,
                         fmt::format("select count(*) from secrets where key_id in (select id from"
                                     " data_keys where id <= $1{})",
                                     only_scope(rotation)),
                         {rotation.target});
    }
    std::abort();
}

void finish_rotation(Db& db, const By& by, const RotationRow& rotation) {
    const auto changed = db.exec(
        "update rotations set finished = $2 where id = $1"
        " and finished is null",
        {rotation.id, by.now});
    if (changed != 0)
        audit(db, by, "vault.rotated", fmt::format("rotation {}", rotation.id),
              to_string(rotation.kind));
}

// ---- the root key

std::vector<KekRow> keks_of_other_roots(Db& db, std::uint32_t root) {
    return read_rows(
        db.query("select term, envelope from keks where key_id <> $1 order by term", {root}),
        [](const Row& row) {
            return KekRow{static_cast<std::uint32_t>(row.integer(0)), row.text(1)};
        });
}

Result<void> replace_keks(Db& db, const By& by, const std::vector<KekRow>& before,
                          const std::vector<std::string>& envelopes) {
    std::string terms;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto old = read_envelope_head(before[i].envelope);
        if (!old) return tl::unexpected<Failure>{old.error()};
        const auto head = read_envelope_head(envelopes.at(i));
        if (!head) return tl::unexpected<Failure>{head.error()};
        const auto changed = db.exec(
            "update keks set envelope = $3, key_id = $4, salt = $5 where term = $1 and salt = $2",
            {before[i].term, Bytes{old->salt}, Bytes{envelopes[i]}, head->key_id,
             Bytes{head->salt}});
        if (changed != 0) terms += fmt::format("{}{}", terms.empty() ? "" : ", ", before[i].term);
    }
    if (!terms.empty()) audit(db, by, "kek.rewrap", "vault", "terms " + terms);
    return {};
}

// ---- the key-encryption key

std::vector<DataKeyRow> data_keys_before(Db& db, std::uint32_t term, std::int64_t limit) {
    return read_rows(
        db.query(fmt::format("{} where kek_term < $1 order by kek_term, id limit $2", kSelectKey),
                 {term, limit}),
        read_key);
}

Result<void> replace_data_keys(Db& db, const By& by, const std::vector<DataKeyRow>& before,
                               const std::vector<std::string>& envelopes, std::uint32_t term) {
    std::int64_t replaced = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto old = read_envelope_head(before[i].envelope);
        if (!old) return tl::unexpected<Failure>{old.error()};
        const auto head = read_envelope_head(envelopes.at(i));
        if (!head) return tl::unexpected<Failure>{head.error()};
        replaced += db.exec(
            "update data_keys set kek_term = $3, envelope = $4, key_id = $5, salt = $6"
            " where id = $1 and salt = $2",
            {before[i].id, Bytes{old->salt}, term, Bytes{envelopes[i]}, head->key_id,
             Bytes{head->salt}});
    }
    if (replaced > 0)
        audit(db, by, "data_key.rewrap", "vault",
              fmt::format("{} keys to term {}", replaced, term));
    return {};
}

bool drop_unused_keks(Db& db, const By& by) {
    const auto last = db.one(
        "select max(target), max(finished) from rotations"
        " where what = 'kek' and finished is not null");
    if (!last || last->is_null(0)) return true;
    const std::uint32_t below = static_cast<std::uint32_t>(last->integer(0));
    if (!db.one("select 1 from keks where term < $1", {below})) return true;
    if (db.one("select 1 from runs where completed is null and created <= $1 limit 1",
               {last->integer(1)}))
        return false;
    const auto dropped = db.exec(
        "delete from keks where term < $1"
        " and not exists (select 1 from data_keys where kek_term = keks.term)",
        {below});
    if (dropped > 0) audit(db, by, "kek.drop", "vault", fmt::format("terms below {}", below));
    return true;
}

// ---- data keys

namespace {

// Tokens come back sealed under the key of when they were asked for.
bool is_awaited(Db& db, Time now, const KeyScope& scope) {
    const auto next = get_data_key(db, scope);
    if (!next) return false;
    const Time replaced = time_from_micros(
        db.must("select created from data_keys where id = $1", {next->id}).integer(0));
    const std::string of_scope = fmt::format(
        " join connections on connections.id = connection_id where connections.{} = $1{}",
        scope.kind == KeyScope::Kind::tenant ? "tenant_id" : "integration_id",
        scope.kind == KeyScope::Kind::tenant ? "" : " and connections.tenant_id is null");
    return db.one(fmt::format("select 1 from oauth_tokens{} and ticket <> 0 and asked <= $2"
                              " and busy_until > $3 limit 1",
                              of_scope),
                  {scope.id, replaced, now}) ||
           db.one(fmt::format("select 1 from oauth_attempts{} and exchanging = 1"
                              " and oauth_attempts.created <= $2 and expires > $3 limit 1",
                              of_scope),
                  {scope.id, replaced, now});
}

}  // namespace

std::uint32_t newest_data_key(Db& db) {
    return static_cast<std::uint32_t>(
        count(db, "select coalesce(max(id), 0) from data_keys where retired = 0"));
}

std::optional<DataKeyRow> next_old_data_key(Db& db, const RotationRow& rotation) {
    return maybe_key(db.one(fmt::format("{} where retired = 0 and id <= $1{} order by id limit 1",
                                        kSelectKey, only_scope(rotation)),
                            {rotation.target}));
}

std::optional<DataKeyRow> next_retired_data_key(Db& db, const RotationRow& rotation) {
    return maybe_key(db.one(fmt::format("{} where retired = 1 and id <= $1{} order by id limit 1",
                                        kSelectKey, only_scope(rotation)),
                            {rotation.target}));
}

Result<void> succeed_data_key(Db& db, const By& by, const DataKeyRow& old, const DataKeyRow& next) {
    const auto retired =
        db.exec("update data_keys set retired = 1 where id = $1 and retired = 0", {old.id});
    if (retired == 0)
        return fail(FailureKind::conflict, "data key {} was replaced by somebody else", old.id);
    return add_data_key(db, by, next);
}

Result<bool> drop_data_key(Db& db, const By& by, const DataKeyRow& retired) {
    if (db.one("select 1 from secrets where key_id = $1 limit 1", {retired.id}) ||
        db.one("select 1 from manifests where key_id = $1 limit 1", {retired.id}))
        return false;
    if (is_awaited(db, by.now, retired.scope))
        return fail(FailureKind::busy,
                    "a provider is just asked for tokens of {} that will be sealed under data key "
                    "{}",
                    name_of(retired.scope), retired.id);
    db.exec("delete from data_keys where id = $1 and retired = 1", {retired.id});
    audit(db, by, "data_key.drop", name_of(retired.scope), fmt::format("key {}", retired.id));
    return true;
}

std::vector<SealedRow> secrets_under(Db& db, const DataKeyRow& key, std::int64_t limit) {
    return read_rows(
        db.query("select connection_id, connector_id, field, version, envelope from secrets"
                 " join connections on connections.id = connection_id where key_id = $1 limit $2",
                 {key.id, limit}),
        [](const Row& row) {
            Columns c{row};
            SealedRow sealed;
            sealed.connection_id = c.integer();
            sealed.connector_id = c.integer();
            sealed.field = c.text();
            sealed.version = static_cast<std::uint64_t>(c.integer());
            sealed.envelope = c.text();
            return sealed;
        });
}

Result<void> replace_secrets(Db& db, const By& by, const DataKeyRow& key,
                             const std::vector<SealedRow>& before,
                             const std::vector<std::string>& envelopes) {
    std::int64_t replaced = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto old = read_envelope_head(before[i].envelope);
        if (!old) return tl::unexpected<Failure>{old.error()};
        const auto head = read_envelope_head(envelopes.at(i));
        if (!head) return tl::unexpected<Failure>{head.error()};
        replaced += db.exec(
            "update secrets set envelope = $4, key_id = $5, salt = $6"
            " where connection_id = $1 and field = $2 and salt = $3",
            {before[i].connection_id, before[i].field, Bytes{old->salt}, Bytes{envelopes[i]},
             head->key_id, Bytes{head->salt}});
    }
    if (replaced > 0)
        audit(db, by, "secret.reseal", name_of(key.scope),
              fmt::format("{} fields from key {}", replaced, key.id));
    return {};
}

}  // namespace berth
