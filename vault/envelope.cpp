#include "vault/envelope.h"

#include <algorithm>

#include "base/assert.h"
#include "model/limits.h"

namespace berth::vault {
namespace {

constexpr std::string_view kMagic = "BV";
constexpr char kFormat = 1;
static_assert(kHeaderBytes == 2 + 1 + 1 + 1 + 1 + 4 + kSaltBytes + kCommitmentBytes);
static_assert(kPaddedSizes.back() == limits::kSecretBytes);

template <typename T>
void put_big_endian(std::string& out, T value) {
    for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8)
        out += static_cast<char>((value >> shift) & 0xff);
}

// Ids of 64 bits in a field of 128: the leading half is zero.
void put_id(std::string& out, std::int64_t id) {
    out.append(8, '\0');
    put_big_endian(out, static_cast<std::uint64_t>(id));
}

}  // namespace

std::string format_header(const Header& header) {
    BERTH_ASSERT(header.salt.size() == kSaltBytes);
    BERTH_ASSERT(header.commitment.size() == kCommitmentBytes);
    std::string out{kMagic};
    out += kFormat;
    out += static_cast<char>(header.algorithm);
    out += static_cast<char>(header.purpose);
    out += static_cast<char>(header.padding);
    put_big_endian(out, header.key_id);
    out += header.salt;
    out += header.commitment;
    return out;
}

Result<Envelope> parse_envelope(std::string_view bytes) {
    const auto refuse = [](std::string_view why) {
        return fail(FailureKind::invalid, "not an envelope that this version reads: {}", why);
    };
    if (bytes.size() < kHeaderBytes) return refuse("it is shorter than a header");
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
    if (!bytes.starts_with(kMagic)) return refuse("it does not begin with its mark");
    if (bytes[2] != kFormat) return refuse("its format is unknown; a newer release wrote it");

    Envelope envelope;
    Header& header = envelope.header;
    header.algorithm = static_cast<Algorithm>(byte(3));
    if (header.algorithm != Algorithm::aes_256_gcm &&
        header.algorithm != Algorithm::chacha20_poly1305)
        return refuse("its algorithm is unknown");
    header.purpose = static_cast<Purpose>(byte(4));
    if (header.purpose != Purpose::kek && header.purpose != Purpose::dek &&
        header.purpose != Purpose::secret)
        return refuse("its purpose is unknown");
    header.padding = byte(5);
    if (header.padding >= kPaddedSizes.size()) return refuse("its padding is unknown");
    for (std::size_t at = 6; at < 10; ++at)
        header.key_id = header.key_id << 8 | byte(at);
    header.salt = bytes.substr(10, kSaltBytes);
    header.commitment = bytes.substr(10 + kSaltBytes, kCommitmentBytes);

    const std::size_t sealed = kLengthBytes + kPaddedSizes[header.padding];
    if (bytes.size() != kHeaderBytes + sealed + kTagBytes)
        return refuse("its size is not the one its padding says");
    envelope.header_bytes = bytes.substr(0, kHeaderBytes);
    envelope.ciphertext = bytes.substr(kHeaderBytes, sealed);
    envelope.tag = bytes.substr(kHeaderBytes + sealed);
    return envelope;
}

Result<std::uint8_t> padding_for(std::size_t size) {
    const auto* fits = std::ranges::lower_bound(kPaddedSizes, size);
    if (fits == kPaddedSizes.end())
        return fail(FailureKind::over_limit, "a secret of {} bytes is too large: at most {} bytes",
                    size, kPaddedSizes.back());
    return static_cast<std::uint8_t>(fits - kPaddedSizes.begin());
}

Result<std::string> identity_bytes(const Identity& identity) {
    if (identity.install_id.size() != 16)
        return fail(FailureKind::invalid, "an installation id has 16 bytes, not {}",
                    identity.install_id.size());
    if (identity.field.size() > 0xffff)
        return fail(FailureKind::over_limit, "a field's name of {} bytes is too long",
                    identity.field.size());
    std::string out = identity.install_id;
    out += static_cast<char>(identity.scope.kind);
    put_id(out, identity.scope.id);
    out += static_cast<char>(identity.object_kind);
    put_id(out, identity.object_id);
    put_big_endian(out, static_cast<std::uint16_t>(identity.field.size()));
    out += identity.field;
    put_big_endian(out, identity.version);
    return out;
}

}  // namespace berth::vault
