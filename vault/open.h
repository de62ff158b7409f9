// The opening half. Only berth-runner links it (library berth_vault_open); every
// symbol is in namespace berth::vault_open, so that a test can look for it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"
#include "vault/envelope.h"
#include "vault/keyring.h"

namespace berth::vault_open {

// The plaintext. Refusals, for the operator to tell apart; none holds a value:
//   invalid       not an envelope, or of a format this version does not read
//   unavailable   sealed with a key of another id
//   denied        not this key's: its commitment does not fit (wrong key)
//   conflict      the key fits, the rest does not (tampered with, or moved here from elsewhere)
Result<Secret> open(const Secret& key, std::uint32_t key_id, vault::Purpose purpose,
                    const vault::Identity& identity, std::string_view envelope);

Result<vault::Kek> unwrap_kek(const vault::RootKey& root, std::string_view install_id,
                              const vault::WrappedKey& wrapped);
Result<vault::DataKey> unwrap_data_key(const vault::Kek& kek, std::string_view install_id,
                                       const vault::Scope& scope, const vault::WrappedKey& wrapped);

}  // namespace berth::vault_open
