// Whether whoever sends a message knows a key: HMACs and shared tokens, as the senders of
// webhooks use them. Comparing takes the same time however much of a claim is right.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"

namespace berth::vault {

enum class MacKind : std::uint8_t {
    hmac_sha256,
    hmac_sha1,
    hmac_sha512,
    token,       // the key itself is what is sent; the message counts for nothing
    ecdsa_p256,  // the key is the sender's public one (DER, SubjectPublicKeyInfo)
};

// How a provider writes its keys down.
enum class MacKeyForm : std::uint8_t { raw, base64, hex };

// What a right claim would be; of all kinds but ecdsa_p256. `==` on it does not compile: it would
// end at the first byte that differs, and so tell where that is.
class Mac {
public:
    static Mac of(MacKind kind, const Secret& key, std::string_view message);

    // In constant time. A token's length is not told either.
    bool fits(std::string_view claim) const;

    // A MAC of ours, to be sent or stored.
    std::string bytes() const { return std::string{bytes_.reveal()}; }

    bool operator==(const Mac&) const = delete;
    auto operator<=>(const Mac&) const = delete;

private:
    Mac(MacKind kind, Secret bytes) : kind_{kind}, bytes_{std::move(bytes)} {}
    MacKind kind_;
    Secret bytes_;
};

// Whether any of the claims fits. Looks at all of them, also after one that does.
bool any_fits(const Mac& mac, std::span<const std::string> claims);

// The same for every kind: whether any of the claims is right for the message under the key.
// unprocessable when that is no public key of P-256 where one is needed.
Result<bool> any_right(MacKind kind, const Secret& key, std::string_view message,
                       std::span<const std::string> claims);

// The key's bytes from its stored text: without `prefix` when it begins with it (`whsec_`),
// decoded. unprocessable when it is not of that form, or empty; says nothing of the value.
// base64 may be of either alphabet, with or without its padding.
Result<Secret> decode_mac_key(const Secret& stored, std::string_view prefix, MacKeyForm form);

}  // namespace berth::vault
