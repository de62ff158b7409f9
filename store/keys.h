// Wrapped keys: data keys, one per scope, and the key-encryption keys that wrap
// them, by term. The store sees envelopes only; UNIQUE(key id, salt) makes a
// broken random generator fail closed instead of using a one-time key twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

// The owner of a data key.
struct KeyScope {
    enum class Kind { tenant, integration };
    Kind kind = Kind::tenant;
    std::int64_t id = 0;
    bool operator==(const KeyScope&) const = default;
};
std::string_view to_string(KeyScope::Kind kind);
std::optional<KeyScope::Kind> parse_key_scope_kind(std::string_view word);

struct DataKeyRow {
    std::uint32_t id = 0;
    KeyScope scope;
    std::uint32_t kek_term = 0;
    std::string envelope;
};

// A number no data key had before. Lost, not reused, if no key is stored under it.
Result<std::uint32_t> reserve_data_key_id(Db& db);
// conflict when the scope has a key already: use that one.
Result<void> add_data_key(Db& db, const By& by, const DataKeyRow& key);
// What is sealed now is sealed under it.
Result<DataKeyRow> get_data_key(Db& db, const KeyScope& scope);
// By its number, which an envelope has; also while it is being replaced.
Result<DataKeyRow> get_data_key(Db& db, std::uint32_t id);
// The one that an envelope of this scope was sealed under.
Result<DataKeyRow> data_key_of(Db& db, const KeyScope& scope, std::string_view envelope);
// The same key wrapped anew (rotation of key-encryption keys).
Result<void> rewrap_data_key(Db& db, const By& by, const DataKeyRow& key);
// All of the scope, also one that is being replaced: every secret of it that is left anywhere
// in this database is unreadable for ever. For the real deletion of a tenant.
Result<void> delete_data_key(Db& db, const By& by, const KeyScope& scope);

struct KekRow {
    std::uint32_t term = 0;
    std::string envelope;
};
Result<void> add_kek(Db& db, const By& by, const KekRow& kek);
std::vector<KekRow> list_keks(Db& db);  // by term

// What the schema keeps of an envelope's header (reliability.md 1.1).
struct EnvelopeHead {
    std::uint32_t key_id = 0;
    std::string_view salt;  // 32 bytes of the envelope that was read
};
Result<EnvelopeHead> read_envelope_head(std::string_view envelope);

}  // namespace berth
