#include "vault/seal.h"

#include <cstring>

#include "base/crypto.h"
#include "vault/aead.h"
#include "vault/derive.h"

namespace berth::vault {

Algorithm preferred_algorithm() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") ? Algorithm::aes_256_gcm : Algorithm::chacha20_poly1305;
#else
    return Algorithm::aes_256_gcm;
#endif
}

Result<std::string> seal(const Secret& key, std::uint32_t key_id, Purpose purpose,
                         const Identity& identity, std::string_view plaintext,
                         Algorithm algorithm) {
    auto padding = padding_for(plaintext.size());
    if (!padding) return pass_on(padding);
    auto bound_to = identity_bytes(identity);
    if (!bound_to) return pass_on(bound_to);

    Header header{algorithm, purpose, *padding, key_id, random_bytes(kSaltBytes), {}};
    const OneTimeKey once = OneTimeKey::derive(key, purpose, header.salt);
    header.commitment = once.commitment();

    // length | value | zeros
    Secret padded = Secret::of_size(kLengthBytes + kPaddedSizes[*padding]);
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        padded.data()[i] = static_cast<unsigned char>(plaintext.size() >> (24 - 8 * i));
    if (!plaintext.empty())
        std::memcpy(padded.data() + kLengthBytes, plaintext.data(), plaintext.size());

    std::string envelope = format_header(header);
    envelope += encrypt(algorithm, once.key(), once.iv(), envelope + *bound_to, padded.reveal());
    return envelope;
}

}  // namespace berth::vault
