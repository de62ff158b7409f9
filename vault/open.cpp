#include "vault/open.h"

#include "base/crypto.h"
#include "vault/aead_open.h"
#include "vault/derive.h"

namespace berth::vault_open {
namespace {

using namespace vault;

Result<Secret> unpad(const Secret& padded) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        size = size << 8 | padded.data()[i];
    if (size > padded.size() - kLengthBytes)
        return fail(FailureKind::conflict, "the envelope's length does not fit its padding");
    return Secret{padded.reveal().substr(kLengthBytes, size)};
}

Result<Secret> open_key(const Secret& key, std::uint32_t key_id, Purpose purpose,
                        const Identity& identity, const WrappedKey& wrapped) {
    auto bytes = open(key, key_id, purpose, identity, wrapped.envelope);
    if (bytes && bytes->size() != kKeyBytes)
        return fail(FailureKind::conflict, "what was sealed as key '{}' is not a key", wrapped.id);
    return bytes;
}

}  // namespace

Result<Secret> open(const Secret& key, std::uint32_t key_id, Purpose purpose,
                    const Identity& identity, std::string_view envelope) {
    auto parsed = parse_envelope(envelope);
    if (!parsed) return pass_on(parsed);
    auto bound_to = identity_bytes(identity);
    if (!bound_to) return pass_on(bound_to);
    const Header& header = parsed->header;
    if (header.purpose != purpose)
        return fail(FailureKind::conflict,
                    "tampered: the envelope was sealed for another purpose than this one");
    if (header.key_id != key_id)
        return fail(FailureKind::unavailable,
                    "the envelope was sealed with key '{}' and not with key '{}'", header.key_id,
                    key_id);

    const OneTimeKey once = OneTimeKey::derive(key, purpose, header.salt);
    if (!equal_constant_time(once.commitment(), header.commitment))
        return fail(FailureKind::denied,
                    "wrong key: key '{}' is not the one that sealed this envelope (or the "
                    "envelope's header was changed)",
                    key_id);
    std::string associated{parsed->header_bytes};
    associated += *bound_to;
    const auto padded = decrypt(header.algorithm, once.key(), once.iv(), associated,
                                parsed->ciphertext, parsed->tag);
    if (!padded)
        return fail(FailureKind::conflict,
                    "tampered: the envelope was changed, or belongs to another tenant, connector, "
                    "field or version");
    return unpad(*padded);
}

Result<Kek> unwrap_kek(const RootKey& root, std::string_view install_id,
                       const WrappedKey& wrapped) {
    auto bytes = open_key(root.bytes, short_id(root), Purpose::kek,
                          kek_identity(install_id, wrapped.id), wrapped);
    if (!bytes) return pass_on(bytes);
    return Kek{wrapped.id, std::move(*bytes)};
}

Result<DataKey> unwrap_data_key(const Kek& kek, std::string_view install_id, const Scope& scope,
                                const WrappedKey& wrapped) {
    auto bytes = open_key(kek.bytes, kek.term, Purpose::dek,
                          data_key_identity(install_id, scope, wrapped.id), wrapped);
    if (!bytes) return pass_on(bytes);
    return DataKey{wrapped.id, scope, std::move(*bytes)};
}

}  // namespace berth::vault_open
