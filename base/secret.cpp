#include "base/secret.h"

#include <openssl/crypto.h>

#include <cstring>
#include <new>
#include <utility>

namespace berth {

void Secret::Cleanse::operator()(unsigned char* bytes) const noexcept {
    OPENSSL_secure_clear_free(bytes, size);
}

Secret Secret::of_size(std::size_t size) {
    Secret secret;
    if (size == 0) return secret;
    auto* bytes = static_cast<unsigned char*>(OPENSSL_secure_zalloc(size));
    if (bytes == nullptr) throw std::bad_alloc{};
    secret.bytes_ = {bytes, Cleanse{size}};
    secret.size_ = size;
    return secret;
}

Secret::Secret(std::string_view bytes) {
    Secret made = of_size(bytes.size());
    if (!bytes.empty()) std::memcpy(made.data(), bytes.data(), bytes.size());
    *this = std::move(made);
}

SecretMemory lock_secret_memory(std::size_t bytes) {
    // 1: locked; 2: allocated but mlock() or the guard pages failed; 0: nothing.
    return CRYPTO_secure_malloc_init(bytes, /*minsize=*/32) == 1 ? SecretMemory::locked
                                                                 : SecretMemory::unlocked;
}

void cleanse(void* memory, std::size_t size) noexcept { OPENSSL_cleanse(memory, size); }

}  // namespace berth
