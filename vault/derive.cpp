#include "vault/derive.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstdlib>
#include <string>

#include "base/assert.h"
#include "base/cptr.h"

namespace berth::vault {
namespace {

std::string_view text_of(Purpose purpose) {
    switch (purpose) {
        case Purpose::kek: return "KEK";
        case Purpose::dek: return "DEK";
        case Purpose::secret: return "secret";
    }
    std::abort();
}

// OpenSSL's parameter type is not const; it does not write.
OSSL_PARAM octets(const char* name, std::string_view bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

}  // namespace

Secret hkdf_expand(std::string_view key, std::string_view info, std::size_t size) {
    // Fetched once: a fetch walks the providers under a lock.
    static const CPtr<EVP_KDF, EVP_KDF_free> hkdf{EVP_KDF_fetch(nullptr, "HKDF", nullptr)};
    const CPtr<EVP_KDF_CTX, EVP_KDF_CTX_free> context{EVP_KDF_CTX_new(hkdf.get())};
    BERTH_ASSERT(context != nullptr);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        octets(OSSL_KDF_PARAM_KEY, key),
        octets(OSSL_KDF_PARAM_INFO, info),
        OSSL_PARAM_construct_end(),
    };
    Secret out = Secret::of_size(size);
    BERTH_ASSERT(EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) == 1);
    return out;
}

OneTimeKey OneTimeKey::derive(const Secret& key, Purpose purpose, std::string_view salt) {
    BERTH_ASSERT(salt.size() == kSaltBytes);
    const std::string info = fmt::format("v1|{}|{}", text_of(purpose), salt);
    return OneTimeKey{hkdf_expand(key.reveal(), info, 32 + kCommitmentBytes + 12)};
}

}  // namespace berth::vault
