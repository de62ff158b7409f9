#include "vault/keeper.h"

#include "base/text.h"
#include "vault/open.h"
#include "vault/seal.h"

namespace berth::vault_open {

using namespace vault;

namespace {

tl::unexpected<Failure> not_loaded() {
    return fail(FailureKind::unavailable, "the keys of this installation are not loaded yet");
}

}  // namespace

Keeper::Keeper(RootKey root) : root_{std::move(root)} {}

Result<std::vector<WrappedKey>> Keeper::load(std::string_view install_id,
                                             const std::vector<WrappedKey>& keks) {
    std::map<std::uint32_t, Kek> opened;
    std::vector<WrappedKey> fresh;
    for (const WrappedKey& wrapped : keks) {
        auto kek = unwrap_kek(root_, install_id, wrapped);
        if (!kek)
            return fail(kek.error().kind,
                        "cannot open key-encryption key '{}' with root key '{}': {}; give the "
                        "runner the root key this installation was made with",
                        wrapped.id, to_hex(root_.id), kek.error().message);
        opened.insert_or_assign(wrapped.id, std::move(*kek));
    }
    if (opened.empty()) {
        Kek first = make_kek(/*term=*/1);
        auto wrapped = wrap(root_, install_id, first);
        if (!wrapped) return pass_on(wrapped);
        fresh.push_back(std::move(*wrapped));
        opened.emplace(first.term, std::move(first));
    }
    install_id_ = install_id;
    keks_ = std::move(opened);
    return fresh;
}

Result<Keeper::NewDataKey> Keeper::new_data_key(const Scope& scope, std::uint32_t key_id) {
    if (keks_.empty()) return not_loaded();
    const Kek& newest = keks_.rbegin()->second;
    auto wrapped = wrap(newest, install_id_, make_data_key(key_id, scope));
    if (!wrapped) return pass_on(wrapped);
    return NewDataKey{std::move(*wrapped), newest.term};
}

Result<std::string> Keeper::seal(const WrappedKey& data_key, const FieldRef& where,
                                 const Secret& plaintext) {
    auto key = unwrap(data_key, where.scope);
    if (!key) return pass_on(key);
    return vault::seal(key->bytes, key->id, Purpose::secret, identity(where), plaintext.reveal());
}

Result<Secret> Keeper::open(const WrappedKey& data_key, const FieldRef& where,
                            std::string_view envelope) {
    auto key = unwrap(data_key, where.scope);
    if (!key) return pass_on(key);
    auto plaintext =
        vault_open::open(key->bytes, key->id, Purpose::secret, identity(where), envelope);
    if (!plaintext)
        return fail_at(plaintext.error().kind, where.field, "cannot open secret '{}': {}",
                       where.field, plaintext.error().message);
    return plaintext;
}

Result<DataKey> Keeper::unwrap(const WrappedKey& wrapped, const Scope& scope) {
    if (keks_.empty()) return not_loaded();
    auto parsed = parse_envelope(wrapped.envelope);
    if (!parsed) return pass_on(parsed);
    const auto kek = keks_.find(parsed->header.key_id);
    if (kek == keks_.end())
        return fail(FailureKind::unavailable,
                    "data key '{}' was sealed with key-encryption key '{}', which is not loaded; "
                    "load the keys again",
                    wrapped.id, parsed->header.key_id);
    auto key = unwrap_data_key(kek->second, install_id_, scope, wrapped);
    if (!key)
        return fail(key.error().kind, "cannot open data key '{}': {}", wrapped.id,
                    key.error().message);
    return key;
}

Identity Keeper::identity(const FieldRef& where) const {
    return {install_id_,        where.scope, ObjectKind::connector,
            where.connector_id, where.field, where.version};
}

}  // namespace berth::vault_open
