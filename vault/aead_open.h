// The other direction of aead.h: only the opening half has it.
#pragma once

#include <optional>
#include <string_view>

#include "base/secret.h"
#include "vault/envelope.h"

namespace berth::vault_open {

// Nothing when the tag does not fit; the bytes are then overwritten unseen.
std::optional<Secret> decrypt(vault::Algorithm algorithm, std::string_view key, std::string_view iv,
                              std::string_view associated, std::string_view ciphertext,
                              std::string_view tag);

}  // namespace berth::vault_open
