// What berth-runner keeps of the vault: the root key, the opened key-encryption
// keys, and the few things that may be asked of them. Data keys come and go with
// each request, wrapped.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "vault/keyring.h"

namespace berth::vault_open {

// A field of a connection, as the caller may reach it.
struct FieldRef {
    vault::Scope scope;
    std::int64_t connector_id = 0;
    std::string field;
    std::uint64_t version = 0;
};

class Keeper {
public:
    explicit Keeper(vault::RootKey root);

    const std::string& root_key_id() const { return root_.id; }

    // Opens the installation's key-encryption keys; replaces what was loaded before.
    // With none, makes the first (term 1). Returns the keys made just now, wrapped by
    // the root key: to be stored before anything is sealed with them.
    Result<std::vector<vault::WrappedKey>> load(std::string_view install_id,
                                                const std::vector<vault::WrappedKey>& keks);

    struct NewDataKey {
        vault::WrappedKey key;
        std::uint32_t kek_term = 0;
    };
    // A data key for a scope, wrapped by the newest key-encryption key.
    Result<NewDataKey> new_data_key(const vault::Scope& scope, std::uint32_t key_id);

    Result<std::string> seal(const vault::WrappedKey& data_key, const FieldRef& where,
                             const Secret& plaintext);
    Result<Secret> open(const vault::WrappedKey& data_key, const FieldRef& where,
                        std::string_view envelope);

private:
    Result<vault::DataKey> unwrap(const vault::WrappedKey& wrapped, const vault::Scope& scope);
    vault::Identity identity(const FieldRef& where) const;

    vault::RootKey root_;
    std::string install_id_;
    std::map<std::uint32_t, vault::Kek> keks_;  // by term
};

}  // namespace berth::vault_open
