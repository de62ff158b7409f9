#include "vault/aead_open.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/cptr.h"
#include "vault/aead.h"

namespace berth::vault_open {

std::optional<Secret> decrypt(vault::Algorithm algorithm, std::string_view key, std::string_view iv,
                              std::string_view associated, std::string_view ciphertext,
                              std::string_view tag) {
    BERTH_ASSERT(key.size() == 32 && iv.size() == 12 && tag.size() == vault::kTagBytes);
    const auto in = [](std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    const CPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> context{EVP_CIPHER_CTX_new()};
    Secret plaintext = Secret::of_size(ciphertext.size());
    int size = 0;
    BERTH_ASSERT(context != nullptr);
    BERTH_ASSERT(EVP_DecryptInit_ex(context.get(), vault::cipher_of(algorithm), nullptr, in(key),
                                    in(iv)) == 1);
    BERTH_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, vault::kTagBytes,
                                     const_cast<char*>(tag.data())) == 1);  // it does not write
    BERTH_ASSERT(EVP_DecryptUpdate(context.get(), nullptr, &size, in(associated),
                                   static_cast<int>(associated.size())) == 1);
    unsigned char none = 0;  // an empty Secret has no memory, and OpenSSL wants an address
    unsigned char* out = plaintext.empty() ? &none : plaintext.data();
    BERTH_ASSERT(EVP_DecryptUpdate(context.get(), out, &size, in(ciphertext),
                                   static_cast<int>(ciphertext.size())) == 1);
    if (EVP_DecryptFinal_ex(context.get(), &none, &size) != 1) return {};
    return plaintext;
}

}  // namespace berth::vault_open
