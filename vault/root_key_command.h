// The root key from a program of the administrator's: a KMS client, a PKCS#11 tool, age.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "vault/keyring.h"

namespace berth::vault {

inline constexpr std::chrono::seconds kRootKeyCommandTime{10};

// Words between spaces; no shell, no quotes. invalid when the first is no absolute path.
Result<std::vector<std::string>> parse_root_key_command(std::string_view text);

// Runs it once and takes the key from its standard output: 32 raw bytes, or 64 hex digits with
// or without a line end. What it says on the other output is thrown away: it could be the key.
// Refused, each with its cure: one that cannot be started, takes longer, exits with another
// code than 0, prints anything else, or prints one byte over and over. Whatever it has started
// and left in its process group is killed.
Result<RootKey> load_root_key_command(const std::vector<std::string>& argv,
                                      std::chrono::milliseconds time = kRootKeyCommandTime);

}  // namespace berth::vault
