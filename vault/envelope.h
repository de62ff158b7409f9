// The sealed form of a secret: what the bytes are, and what they are bound to.
//
//   magic 2 | format 1 | algorithm 1 | purpose 1 | padding 1 | key_id 4 | salt 32 |
//   commitment 32 | ciphertext | tag 16
//
// The ciphertext hides `length 4 | value | zeros` up to one of six sizes, so that a
// stolen file does not tell how long a token is. All bytes before the ciphertext,
// and the Identity below, are the associated data. Numbers are big-endian. This
// format was fixed with the first version; nothing without binding ever existed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::vault {

enum class Algorithm : std::uint8_t { aes_256_gcm = 1, chacha20_poly1305 = 2 };
// What is inside: a key-encryption key, a data key, or a field of a connection.
enum class Purpose : std::uint8_t { kek = 1, dek = 2, secret = 3 };

inline constexpr std::size_t kHeaderBytes = 74;
inline constexpr std::size_t kSaltBytes = 32;
inline constexpr std::size_t kCommitmentBytes = 32;
inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kLengthBytes = 4;
// The header's `padding` is an index into this.
inline constexpr std::array<std::size_t, 6> kPaddedSizes{64, 256, 1024, 4096, 16384, 65536};

struct Header {
    Algorithm algorithm = Algorithm::aes_256_gcm;
    Purpose purpose = Purpose::secret;
    std::uint8_t padding = 0;
    std::uint32_t key_id = 0;  // of the key that sealed it
    std::string salt;          // 32 random bytes: a one-time key is derived from them
    std::string commitment;    // 32 bytes: fits only the key that sealed it
};

std::string format_header(const Header& header);

struct Envelope {
    Header header;
    std::string_view header_bytes;  // views into what was parsed
    std::string_view ciphertext;
    std::string_view tag;
};
// Refuses unknown marks, formats, algorithms, purposes and paddings, and a size that
// is not exactly the one its padding says. Says nothing about who wrote it.
Result<Envelope> parse_envelope(std::string_view bytes);

// The smallest padding that holds `size` bytes; over_limit past the largest.
Result<std::uint8_t> padding_for(std::size_t size);

enum class ScopeKind : std::uint8_t { install = 0, tenant = 1, integration = 2 };
enum class ObjectKind : std::uint8_t { kek = 1, data_key = 2, connector = 3 };

// Whose key: a tenant's, or an integration's for its global connectors.
struct Scope {
    ScopeKind kind = ScopeKind::tenant;
    std::int64_t id = 0;
    bool operator==(const Scope&) const = default;
};

// Where a sealed value belongs. Made from what the caller may do (run → tenant →
// connector → field), never from the row that held the envelope.
struct Identity {
    std::string install_id;  // 16 raw bytes
    Scope scope;
    ObjectKind object_kind = ObjectKind::connector;
    std::int64_t object_id = 0;
    std::string field;
    std::uint64_t version = 0;
};

// install_id 16 | scope_kind 1 | scope_id 16 | object_kind 1 | object_id 16 |
// field_len 2 | field | version 8: fixed widths and one length, hence injective.
Result<std::string> identity_bytes(const Identity& identity);

}  // namespace berth::vault
