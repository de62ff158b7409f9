#include "vault/aead.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "base/assert.h"
#include "base/cptr.h"

namespace berth::vault {

const EVP_CIPHER* cipher_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::aes_256_gcm: return EVP_aes_256_gcm();
        case Algorithm::chacha20_poly1305: return EVP_chacha20_poly1305();
    }
    std::abort();
}

std::string encrypt(Algorithm algorithm, std::string_view key, std::string_view iv,
                    std::string_view associated, std::string_view plaintext) {
    BERTH_ASSERT(key.size() == 32 && iv.size() == 12);
    const auto in = [](std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    const CPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> context{EVP_CIPHER_CTX_new()};
    std::string out(plaintext.size() + kTagBytes, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    int size = 0;
    BERTH_ASSERT(context != nullptr);
    BERTH_ASSERT(
        EVP_EncryptInit_ex(context.get(), cipher_of(algorithm), nullptr, in(key), in(iv)) == 1);
    BERTH_ASSERT(EVP_EncryptUpdate(context.get(), nullptr, &size, in(associated),
                                   static_cast<int>(associated.size())) == 1);
    BERTH_ASSERT(EVP_EncryptUpdate(context.get(), bytes, &size, in(plaintext),
                                   static_cast<int>(plaintext.size())) == 1);
    BERTH_ASSERT(EVP_EncryptFinal_ex(context.get(), bytes + size, &size) == 1);
    BERTH_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes,
                                     bytes + plaintext.size()) == 1);
    return out;
}

}  // namespace berth::vault
