#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/text.h"

namespace berth {

std::string random_bytes(std::size_t count) {
    std::string out(count, '\0');
    std::size_t filled = 0;
    while (filled < count) {
        const ssize_t n = ::getrandom(out.data() + filled, count - filled, /*flags=*/0);
        if (n < 0 && errno == EINTR) continue;
        filled += static_cast<std::size_t>(check(n, "reading random bytes"));
    }
    return out;
}

std::string random_id() { return to_hex(random_bytes(16)); }

std::string sha256(std::string_view bytes) {
    std::string out(32, '\0');
    unsigned length = 0;
    BERTH_ASSERT(EVP_Digest(bytes.data(), bytes.size(),
                            reinterpret_cast<unsigned char*>(out.data()), &length, EVP_sha256(),
                            nullptr) == 1);
    return out;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
    std::string out(32, '\0');
    unsigned length = 0;
    BERTH_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                      reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                      reinterpret_cast<unsigned char*>(out.data()), &length) != nullptr);
    return out;
}

Sha256::Sha256() : context_{EVP_MD_CTX_new()} {
    BERTH_ASSERT(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::add(std::string_view bytes) {
    BERTH_ASSERT(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish() {
    std::string out(32, '\0');
    BERTH_ASSERT(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()),
                                    nullptr) == 1);
    return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace berth
