// Authenticated encryption as OpenSSL has it, for seal.cpp and the tests' published
// vectors. Its other direction is in aead_open.h, with the opening half.
#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>

#include "vault/envelope.h"

namespace berth::vault {

// Key of 32 bytes, IV of 12, never used together twice. Returns ciphertext | tag.
std::string encrypt(Algorithm algorithm, std::string_view key, std::string_view iv,
                    std::string_view associated, std::string_view plaintext);

// OpenSSL's name for it.
const EVP_CIPHER* cipher_of(Algorithm algorithm);

}  // namespace berth::vault
