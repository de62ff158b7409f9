// The list of all secrets of a scope, and its MAC: a row that is put back to what it was, or
// taken away, no longer fits the list, and an old list has an old counter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "vault/keyring.h"
#include "vault/mac.h"

namespace berth::vault {

struct ManifestEntry {
    std::int64_t connector_id = 0;
    std::string field;
    std::uint64_t version = 0;
    std::string tag;  // the last kTagBytes of its envelope

    bool operator==(const ManifestEntry&) const = default;
};

// HMAC under HKDF(key, "manifest"), whatever the order of the entries. invalid when a field
// of a connector is there twice or a tag has not its size.
Result<Mac> manifest_mac(const DataKey& key, std::string_view install_id, std::uint64_t counter,
                         std::vector<ManifestEntry> entries);

// Of an envelope that was read from the store; empty when it is too short.
std::string_view envelope_tag(std::string_view envelope);

}  // namespace berth::vault
