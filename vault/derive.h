// HKDF: from a long-lived key and a salt to the key of exactly one encryption.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/secret.h"
#include "vault/envelope.h"

namespace berth::vault {

// RFC 5869, second half, with SHA-256; `size` is at most 255 * 32.
Secret hkdf_expand(std::string_view key, std::string_view info, std::size_t size);

// Used for one encryption and dropped.
class OneTimeKey {
public:
    // The derivation of reliability.md 1.1: info = "v1|" purpose "|" salt, 76 bytes.
    static OneTimeKey derive(const Secret& key, Purpose purpose, std::string_view salt);

    std::string_view key() const { return bytes_.reveal().substr(0, 32); }
    std::string_view commitment() const { return bytes_.reveal().substr(32, 32); }
    std::string_view iv() const { return bytes_.reveal().substr(64, 12); }

private:
    explicit OneTimeKey(Secret bytes) : bytes_{std::move(bytes)} {}
    Secret bytes_;
};

}  // namespace berth::vault
