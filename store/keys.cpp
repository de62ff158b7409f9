#include "store/keys.h"

#include "store/sql.h"

namespace berth {
namespace {

constexpr std::size_t kSaltAt = 10;
constexpr std::size_t kSaltBytes = 32;
constexpr std::size_t kHeadBytes = 74;  // up to the ciphertext
constexpr std::size_t kTagBytes = 16;

std::string name_of(const KeyScope& scope) {
    return fmt::format("{} {}", to_string(scope.kind), scope.id);
}

}  // namespace

std::string_view to_string(KeyScope::Kind kind) {
    switch (kind) {
        case KeyScope::Kind::tenant: return "tenant";
        case KeyScope::Kind::integration: return "integration";
    }
    std::abort();
}

std::optional<KeyScope::Kind> parse_key_scope_kind(std::string_view word) {
    for (const auto kind : {KeyScope::Kind::tenant, KeyScope::Kind::integration})
        if (word == to_string(kind)) return kind;
    return {};
}

Result<EnvelopeHead> read_envelope_head(std::string_view envelope) {
    if (envelope.size() < kHeadBytes + kTagBytes)
        return fail_at(FailureKind::invalid, "envelope",
                       "an envelope of {} bytes is too short to be one", envelope.size());
    EnvelopeHead head;
    for (std::size_t at = 6; at < kSaltAt; ++at)
        head.key_id = head.key_id << 8 | static_cast<unsigned char>(envelope[at]);
    head.salt = envelope.substr(kSaltAt, kSaltBytes);
    return head;
}

Result<std::uint32_t> reserve_data_key_id(Db& db) {
    const auto row = db.must(
        "insert into counters (name, value) values ('data_key', 1)"
        " on conflict (name) do update set value = counters.value + 1 returning value");
    if (row.integer(0) > UINT32_MAX)
        return fail(FailureKind::over_limit, "there are no more numbers for data keys");
    return static_cast<std::uint32_t>(row.integer(0));
}

Result<void> add_data_key(Db& db, const By& by, const DataKeyRow& key) {
    const auto head = read_envelope_head(key.envelope);
    if (!head) return tl::unexpected<Failure>{head.error()};
    if (!db.one("select 1 from keks where term = $1", {key.kek_term}))
        return fail(FailureKind::conflict, "there is no key-encryption key of term {}",
                    key.kek_term);
    const auto added = db.exec(
        "insert into data_keys (id, scope_kind, scope_id, retired, kek_term, envelope, key_id,"
        " salt, created) values ($1, $2, $3, 0, $4, $5, $6, $7, $8) on conflict do nothing",
        {key.id, to_string(key.scope.kind), key.scope.id, key.kek_term, Bytes{key.envelope},
         head->key_id, Bytes{head->salt}, by.now});
    if (added == 0)
        return fail(FailureKind::conflict,
                    "{} has a data key already, or number or salt of the new one were used before",
                    name_of(key.scope));
    audit(db, by, "data_key.create", name_of(key.scope), fmt::format("key {}", key.id));
    return {};
}

Result<DataKeyRow> get_data_key(Db& db, const KeyScope& scope) {
    const auto row = db.one(
        "select id, kek_term, envelope from data_keys"
        " where scope_kind = $1 and scope_id = $2 and retired = 0",
        {to_string(scope.kind), scope.id});
    if (!row) return fail(FailureKind::not_found, "{} has no data key", name_of(scope));
    return DataKeyRow{static_cast<std::uint32_t>(row->integer(0)), scope,
                      static_cast<std::uint32_t>(row->integer(1)), row->text(2)};
}

Result<DataKeyRow> get_data_key(Db& db, std::uint32_t id) {
    const auto row = db.one(
        "select scope_kind, scope_id, kek_term, envelope from data_keys where id = $1", {id});
    if (!row) return fail(FailureKind::not_found, "there is no data key '{}'", id);
    Columns c{*row};
    DataKeyRow key;
    key.id = id;
    key.scope.kind = c.word(parse_key_scope_kind);
    key.scope.id = c.integer();
    key.kek_term = static_cast<std::uint32_t>(c.integer());
    key.envelope = c.text();
    return key;
}

Result<DataKeyRow> data_key_of(Db& db, const KeyScope& scope, std::string_view envelope) {
    const auto head = read_envelope_head(envelope);
    if (!head) return tl::unexpected<Failure>{head.error()};
    auto key = get_data_key(db, head->key_id);
    if (key && key->scope == scope) return key;
    // Of a foreign scope it would open nothing: the scope is part of what it is bound to.
    return fail(FailureKind::not_found, "{} has no data key '{}'", name_of(scope), head->key_id);
}

Result<void> rewrap_data_key(Db& db, const By& by, const DataKeyRow& key) {
    const auto head = read_envelope_head(key.envelope);
    if (!head) return tl::unexpected<Failure>{head.error()};
    if (db.one("select 1 from data_keys where key_id = $1 and salt = $2",
               {head->key_id, Bytes{head->salt}}))
        return fail(FailureKind::conflict, "the salt of this envelope was used before");
    const auto changed = db.exec(
        "update data_keys set kek_term = $4, envelope = $5, key_id = $6, salt = $7"
        " where id = $1 and scope_kind = $2 and scope_id = $3",
        {key.id, to_string(key.scope.kind), key.scope.id, key.kek_term, Bytes{key.envelope},
         head->key_id, Bytes{head->salt}});
    if (changed == 0)
        return fail(FailureKind::not_found, "{} has no data key {}", name_of(key.scope), key.id);
    audit(db, by, "data_key.rewrap", name_of(key.scope),
          fmt::format("key {} term {}", key.id, key.kek_term));
    return {};
}

Result<void> delete_data_key(Db& db, const By& by, const KeyScope& scope) {
    const auto gone = db.exec("delete from data_keys where scope_kind = $1 and scope_id = $2",
                              {to_string(scope.kind), scope.id});
    if (gone == 0) return fail(FailureKind::not_found, "{} has no data key", name_of(scope));
    db.exec("delete from manifests where scope_kind = $1 and scope_id = $2",
            {to_string(scope.kind), scope.id});
    audit(db, by, "data_key.delete", name_of(scope));
    return {};
}

Result<void> add_kek(Db& db, const By& by, const KekRow& kek) {
    const auto head = read_envelope_head(kek.envelope);
    if (!head) return tl::unexpected<Failure>{head.error()};
    const auto added = db.exec(
        "insert into keks (term, envelope, key_id, salt, created) values ($1, $2, $3, $4, $5)"
        " on conflict do nothing",
        {kek.term, Bytes{kek.envelope}, head->key_id, Bytes{head->salt}, by.now});
    if (added == 0)
        return fail(FailureKind::conflict,
                    "there is a key-encryption key of term {} already, or its salt was used before",
                    kek.term);
    audit(db, by, "kek.create", fmt::format("kek {}", kek.term));
    return {};
}

std::vector<KekRow> list_keks(Db& db) {
    return read_rows(db.query("select term, envelope from keks order by term"), [](const Row& row) {
        return KekRow{static_cast<std::uint32_t>(row.integer(0)), row.text(1)};
    });
}

}  // namespace berth
