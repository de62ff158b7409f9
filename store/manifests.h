// The list of all sealed fields of a scope and the row with its MAC. The store can make no
// MAC: who changes a scope's secrets brings the one that fits (daemon/manifests.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/db.h"
#include "store/keys.h"

namespace berth {

struct ManifestEntry {
    std::int64_t connector_id = 0;
    std::string field;
    std::uint64_t version = 0;
    std::string tag;           // of the envelope: its last 16 bytes
    std::uint32_t key_id = 0;  // the data key it is sealed under; not part of the MAC

    bool operator==(const ManifestEntry&) const = default;
};

struct ManifestRow {
    KeyScope scope;
    std::uint32_t key_id = 0;  // the data key that the MAC's key comes from
    std::uint64_t counter = 0;
    std::string mac;
};

// A scope's secrets as they are now, by connector and field.
std::vector<ManifestEntry> secrets_of(Db& db, const KeyScope& scope);
// The envelope of one of them as it is now: a rotation seals anew and keeps the version.
// Nothing when that version is gone.
std::optional<std::string> envelope_of(Db& db, const KeyScope& scope, std::int64_t connector_id,
                                       std::string_view field, std::uint64_t version);
// With counter 0 when there is none.
ManifestRow get_manifest(Db& db, const KeyScope& scope);
// conflict when the one before it is not the one that is there: somebody was faster.
Result<void> put_manifest(Db& db, const ManifestRow& manifest);

// Scopes that have secrets and no manifest: of a store from before there were any.
std::vector<KeyScope> scopes_without_manifest(Db& db, std::int64_t limit);

// The manifest with what it is about, as the runner wants it for opening.
struct SignedList {
    ManifestRow manifest;
    DataKeyRow data_key;
    std::vector<ManifestEntry> entries;
};
Result<SignedList> signed_list(Db& db, const KeyScope& scope);

}  // namespace berth
