#include "vault/keyring.h"

#include <sys/random.h>

#include "base/assert.h"
#include "base/crypto.h"
#include "vault/seal.h"

namespace berth::vault {
namespace {

// Straight into locked memory.
Secret random_key() {
    Secret key = Secret::of_size(kKeyBytes);
    // Up to 256 bytes come whole, without interruption: getrandom(2).
    check(::getrandom(key.data(), key.size(), /*flags=*/0), "reading random bytes");
    return key;
}

}  // namespace

RootKey make_root_key(Secret bytes) {
    BERTH_ASSERT(bytes.size() == kKeyBytes);
    constexpr std::string_view kLabel = "berth root key id";
    Secret labelled = Secret::of_size(kLabel.size() + bytes.size());
    auto* end = std::copy(kLabel.begin(), kLabel.end(), labelled.data());
    std::copy(bytes.data(), bytes.data() + bytes.size(), end);
    return {sha256(labelled.reveal()).substr(0, kRootKeyIdBytes), std::move(bytes)};
}

Kek make_kek(std::uint32_t term) { return {term, random_key()}; }

DataKey make_data_key(std::uint32_t id, const Scope& scope) { return {id, scope, random_key()}; }

std::uint32_t short_id(const RootKey& root) {
    std::uint32_t id = 0;
    for (const char c : root.id.substr(0, sizeof id))
        id = id << 8 | static_cast<unsigned char>(c);
    return id;
}

Identity kek_identity(std::string_view install_id, std::uint32_t term) {
    return {std::string{install_id}, {ScopeKind::install, 0}, ObjectKind::kek, term, {}, 0};
}

Identity data_key_identity(std::string_view install_id, const Scope& scope, std::uint32_t id) {
    return {std::string{install_id}, scope, ObjectKind::data_key, id, {}, 0};
}

Result<WrappedKey> wrap(const RootKey& root, std::string_view install_id, const Kek& kek) {
    auto envelope = seal(root.bytes, short_id(root), Purpose::kek,
                         kek_identity(install_id, kek.term), kek.bytes.reveal());
    if (!envelope) return pass_on(envelope);
    return WrappedKey{kek.term, std::move(*envelope)};
}

Result<WrappedKey> wrap(const Kek& kek, std::string_view install_id, const DataKey& key) {
    auto envelope = seal(kek.bytes, kek.term, Purpose::dek,
                         data_key_identity(install_id, key.scope, key.id), key.bytes.reveal());
    if (!envelope) return pass_on(envelope);
    return WrappedKey{key.id, std::move(*envelope)};
}

}  // namespace berth::vault
