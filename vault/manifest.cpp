#include "vault/manifest.h"

#include <algorithm>
#include <tuple>

#include "vault/derive.h"

namespace berth::vault {
namespace {

constexpr std::string_view kMark = "berth manifest 1";

void put(std::string& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8)
        out += static_cast<char>((value >> shift) & 0xff);
}

auto place_of(const ManifestEntry& entry) { return std::tie(entry.connector_id, entry.field); }

}  // namespace

Result<Mac> manifest_mac(const DataKey& key, std::string_view install_id, std::uint64_t counter,
                         std::vector<ManifestEntry> entries) {
    std::ranges::sort(entries, {}, [](const ManifestEntry& e) { return place_of(e); });
    std::string text{kMark};
    text += install_id;
    text += static_cast<char>(key.scope.kind);
    put(text, static_cast<std::uint64_t>(key.scope.id));
    put(text, counter);
    put(text, entries.size());
    const ManifestEntry* before = nullptr;
    for (const ManifestEntry& entry : entries) {
        if (before != nullptr && place_of(*before) == place_of(entry))
            return fail(FailureKind::invalid, "the list of secrets has '{}' twice", entry.field);
        if (entry.tag.size() != kTagBytes)
            return fail(FailureKind::invalid, "the envelope of '{}' is too short to be one",
                        entry.field);
        before = &entry;
        put(text, static_cast<std::uint64_t>(entry.connector_id));
        put(text, entry.field.size());
        text += entry.field;
        put(text, entry.version);
        text += entry.tag;
    }
    const Secret mac_key = hkdf_expand(key.bytes.reveal(), "v1|manifest", kKeyBytes);
    return Mac::of(MacKind::hmac_sha256, mac_key, text);
}

std::string_view envelope_tag(std::string_view envelope) {
    if (envelope.size() < kTagBytes) return {};
    return envelope.substr(envelope.size() - kTagBytes);
}

}  // namespace berth::vault
