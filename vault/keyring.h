// The keys of the hierarchy: root key → key-encryption keys, by term → one data key
// per scope → one-time keys. Wrapping a key is sealing it, with its own purpose.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/secret.h"
#include "vault/envelope.h"

namespace berth::vault {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kRootKeyIdBytes = 8;
inline constexpr std::size_t kInstallIdBytes = 16;

// Lives outside the database; wraps key-encryption keys.
struct RootKey {
    std::string id;  // 8 raw bytes, made from the key
    Secret bytes;
};

// Key-encryption key of one term; wraps data keys.
struct Kek {
    std::uint32_t term = 0;
    Secret bytes;
};

// Seals the secrets of one scope.
struct DataKey {
    std::uint32_t id = 0;
    Scope scope;
    Secret bytes;
};

// A key as the store keeps it.
struct WrappedKey {
    std::uint32_t id = 0;  // a Kek's term, or a DataKey's id
    std::string envelope;
};

RootKey make_root_key(Secret bytes);  // gives it its id; `bytes` are kKeyBytes
Kek make_kek(std::uint32_t term);     // 32 random bytes
DataKey make_data_key(std::uint32_t id, const Scope& scope);

// The short form of a root key's id that fits an envelope's header.
std::uint32_t short_id(const RootKey& root);
// What a wrapped key is bound to.
Identity kek_identity(std::string_view install_id, std::uint32_t term);
Identity data_key_identity(std::string_view install_id, const Scope& scope, std::uint32_t id);

Result<WrappedKey> wrap(const RootKey& root, std::string_view install_id, const Kek& kek);
Result<WrappedKey> wrap(const Kek& kek, std::string_view install_id, const DataKey& key);

}  // namespace berth::vault
