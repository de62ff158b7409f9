// The sealing half: plaintext in, envelope out. It cannot open what it has sealed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"
#include "vault/envelope.h"

namespace berth::vault {

// AES-256-GCM where the processor has instructions for it, else ChaCha20-Poly1305.
Algorithm preferred_algorithm();

// Seals `plaintext` so that only `key` opens it, and only for this purpose and
// identity. Each call takes a new salt. over_limit past limits::kSecretBytes.
Result<std::string> seal(const Secret& key, std::uint32_t key_id, Purpose purpose,
                         const Identity& identity, std::string_view plaintext,
                         Algorithm algorithm = preferred_algorithm());

}  // namespace berth::vault
