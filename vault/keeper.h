// What berth-runner keeps of the vault: the root keys, the opened key-encryption
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
#include "vault/manifest.h"

namespace berth::vault_open {

// A field of a connection, as the caller may reach it.
struct FieldRef {
    vault::Scope scope;
    std::int64_t connector_id = 0;
    std::string field;
    std::uint64_t version = 0;
};

// A sealed field where it belongs.
struct SealedAt {
    FieldRef where;
    std::string envelope;
};

class Keeper {
public:
    // What is wrapped is wrapped by `root`; `previous` only open what they wrapped.
    explicit Keeper(vault::RootKey root, std::vector<vault::RootKey> previous = {});

    // Others from now on; those there were are previous ones, and what is loaded stays.
    void take_roots(vault::RootKey root, std::vector<vault::RootKey> previous);

    const std::string& root_key_id() const { return roots_.front().id; }
    std::vector<std::string> previous_root_key_ids() const;
    const std::string& install_id() const { return install_id_; }

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

    // ---- rotation: envelopes in, envelopes out

    // A key-encryption key that is not used before load() gets it.
    Result<vault::WrappedKey> new_kek(std::uint32_t term);
    // The same key, under the root key that is current.
    Result<vault::WrappedKey> rewrap(const vault::WrappedKey& kek);
    // The same key, under the newest key-encryption key.
    Result<NewDataKey> rewrap(const vault::Scope& scope, const vault::WrappedKey& data_key);
    // The same secrets, sealed under `to`; all are of one scope.
    Result<std::vector<std::string>> reseal(const vault::WrappedKey& from,
                                            const vault::WrappedKey& to,
                                            const std::vector<SealedAt>& secrets);

    Result<vault::Mac> manifest_mac(const vault::Scope& scope, const vault::WrappedKey& data_key,
                                    std::uint64_t counter,
                                    const std::vector<vault::ManifestEntry>& entries);

private:
    Result<vault::Kek> unwrap(std::string_view install_id, const vault::WrappedKey& kek) const;
    Result<vault::DataKey> unwrap(const vault::WrappedKey& wrapped, const vault::Scope& scope);
    vault::Identity identity(const FieldRef& where) const;

    std::vector<vault::RootKey> roots_;  // the current one, then those of before
    std::string install_id_;
    std::map<std::uint32_t, vault::Kek> keks_;  // by term
};

}  // namespace berth::vault_open
