#include "vault/mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "base/cptr.h"

namespace berth::vault {
namespace {

const EVP_MD* digest_of(MacKind kind) {
    switch (kind) {
        case MacKind::hmac_sha256: return EVP_sha256();
        case MacKind::hmac_sha1: return EVP_sha1();
        case MacKind::hmac_sha512: return EVP_sha512();
        case MacKind::token:
        case MacKind::ecdsa_p256: break;
    }
    std::abort();
}

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

// Straight into locked memory.
Secret hmac(MacKind kind, std::string_view key, std::string_view message) {
    const EVP_MD* digest = digest_of(kind);
    Secret out = Secret::of_size(static_cast<std::size_t>(EVP_MD_get_size(digest)));
    unsigned size = 0;
    BERTH_ASSERT(HMAC(digest, key.data(), static_cast<int>(key.size()), bytes_of(message),
                      message.size(), out.data(), &size) != nullptr);
    return out;
}

Secret digest(std::string_view token) {
    Secret out = Secret::of_size(32);
    unsigned size = 0;
    BERTH_ASSERT(EVP_Digest(token.data(), token.size(), out.data(), &size, EVP_sha256(), nullptr) ==
                 1);
    return out;
}

using PublicKey = CPtr<EVP_PKEY, EVP_PKEY_free>;

// Null when it is none. Nothing may stand behind it.
PublicKey p256_key(const Secret& der) {
    const unsigned char* at = der.data();
    PublicKey key{d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size()))};
    std::array<char, 32> group{};
    std::size_t size = 0;
    if (!key || at != der.data() + der.size() ||
        EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &size) != 1 ||
        std::strcmp(group.data(), "prime256v1") != 0)
        return {};
    return key;
}

bool is_signed(EVP_PKEY& key, std::string_view message, std::string_view signature) {
    const CPtr<EVP_MD_CTX, EVP_MD_CTX_free> context{EVP_MD_CTX_new()};
    BERTH_ASSERT(context);
    return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, &key) == 1 &&
           EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message),
                            message.size()) == 1;
}

// -1: none.
int value_of_hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int value_of_base64(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

// `bits` to a letter; bits that fill no byte are dropped. Empty: it is not of this form.
Secret decode(std::string_view text, unsigned bits, int (*value_of)(char)) {
    Secret out = Secret::of_size(text.size() * bits / 8);
    unsigned held = 0;
    unsigned held_bits = 0;
    std::size_t at = 0;
    for (const char c : text) {
        const int value = value_of(c);
        if (value < 0) return {};
        held = (held << bits | static_cast<unsigned>(value)) & 0xfff;
        held_bits += bits;
        if (held_bits < 8) continue;
        held_bits -= 8;
        out.data()[at++] = static_cast<unsigned char>(held >> held_bits);
    }
    return out;
}

Secret decode_base64(std::string_view text) {
    if (text.size() % 4 == 0)
        for (int padding = 0; padding < 2 && text.ends_with('='); ++padding)
            text.remove_suffix(1);
    if (text.size() % 4 == 1) return {};
    return decode(text, 6, value_of_base64);
}

Secret decode_hex(std::string_view text) {
    if (text.size() % 2 != 0) return {};
    return decode(text, 4, value_of_hex);
}

}  // namespace

Mac Mac::of(MacKind kind, const Secret& key, std::string_view message) {
    if (kind == MacKind::token) return {kind, digest(key.reveal())};
    return {kind, hmac(kind, key.reveal(), message)};
}

bool Mac::fits(std::string_view claim) const {
    const Secret claimed = kind_ == MacKind::token ? digest(claim) : Secret{claim};
    return claimed.size() == bytes_.size() &&
           CRYPTO_memcmp(claimed.data(), bytes_.data(), bytes_.size()) == 0;
}

bool any_fits(const Mac& mac, std::span<const std::string> claims) {
    bool fits = false;
    for (const std::string& claim : claims)
        fits |= mac.fits(claim);
    return fits;
}

Result<bool> any_right(MacKind kind, const Secret& key, std::string_view message,
                       std::span<const std::string> claims) {
    if (kind != MacKind::ecdsa_p256) return any_fits(Mac::of(kind, key, message), claims);
    const auto signer = p256_key(key);
    if (!signer)
        return fail(FailureKind::unprocessable,
                    "the key is no public key of P-256; store it as the provider shows it");
    bool right = false;
    for (const std::string& claim : claims)
        right |= is_signed(*signer, message, claim);
    return right;
}

Result<Secret> decode_mac_key(const Secret& stored, std::string_view prefix, MacKeyForm form) {
    std::string_view text = stored.reveal();
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
    Secret key;
    switch (form) {
        case MacKeyForm::raw: key = Secret{text}; break;
        case MacKeyForm::base64: key = decode_base64(text); break;
        case MacKeyForm::hex: key = decode_hex(text); break;
    }
    if (!key.empty()) return key;
    if (text.empty()) return fail(FailureKind::unprocessable, "the key is empty; store it again");
    return fail(FailureKind::unprocessable, "the key is not {}; store it as the provider shows it",
                form == MacKeyForm::hex ? "in hex digits" : "in base64");
}

}  // namespace berth::vault
