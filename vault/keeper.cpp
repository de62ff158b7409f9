#include "vault/keeper.h"

#include <algorithm>

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

Keeper::Keeper(RootKey root, std::vector<RootKey> previous) {
    take_roots(std::move(root), std::move(previous));
}

void Keeper::take_roots(RootKey root, std::vector<RootKey> previous) {
    std::vector<RootKey> roots;
    roots.push_back(std::move(root));
    for (auto* more : {&previous, &roots_})
        for (RootKey& old : *more)
            if (std::ranges::find(roots, old.id, &RootKey::id) == roots.end())
                roots.push_back(std::move(old));
    roots_ = std::move(roots);
}

std::vector<std::string> Keeper::previous_root_key_ids() const {
    std::vector<std::string> ids;
    for (std::size_t i = 1; i < roots_.size(); ++i)
        ids.push_back(roots_[i].id);
    return ids;
}

Result<Kek> Keeper::unwrap(std::string_view install_id, const WrappedKey& wrapped) const {
    const auto refuse = [&](const Failure& why) {
        return fail(why.kind,
                    "cannot open key-encryption key '{}' with root key '{}': {}; give the runner "
                    "the root key this installation was made with",
                    wrapped.id, to_hex(root_key_id()), why.message);
    };
    auto parsed = parse_envelope(wrapped.envelope);
    if (!parsed) return refuse(parsed.error());
    const auto root = std::ranges::find(roots_, parsed->header.key_id, short_id);
    if (root == roots_.end())
        return refuse({FailureKind::unavailable,
                       fmt::format("it was wrapped by the root key whose id begins with {:08x}",
                                   parsed->header.key_id),
                       {}});
    auto kek = unwrap_kek(*root, install_id, wrapped);
    if (!kek) return refuse(kek.error());
    return kek;
}

Result<std::vector<WrappedKey>> Keeper::load(std::string_view install_id,
                                             const std::vector<WrappedKey>& keks) {
    std::map<std::uint32_t, Kek> opened;
    std::vector<WrappedKey> fresh;
    for (const WrappedKey& wrapped : keks) {
        auto kek = unwrap(install_id, wrapped);
        if (!kek) return pass_on(kek);
        opened.insert_or_assign(wrapped.id, std::move(*kek));
    }
    if (opened.empty()) {
        Kek first = make_kek(/*term=*/1);
        auto wrapped = wrap(roots_.front(), install_id, first);
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

Result<WrappedKey> Keeper::new_kek(std::uint32_t term) {
    if (keks_.empty()) return not_loaded();
    return wrap(roots_.front(), install_id_, make_kek(term));
}

Result<WrappedKey> Keeper::rewrap(const WrappedKey& kek) {
    if (keks_.empty()) return not_loaded();
    auto opened = unwrap(install_id_, kek);
    if (!opened) return pass_on(opened);
    return wrap(roots_.front(), install_id_, *opened);
}

Result<Keeper::NewDataKey> Keeper::rewrap(const Scope& scope, const WrappedKey& data_key) {
    auto opened = unwrap(data_key, scope);
    if (!opened) return pass_on(opened);
    const Kek& newest = keks_.rbegin()->second;
    auto wrapped = wrap(newest, install_id_, *opened);
    if (!wrapped) return pass_on(wrapped);
    return NewDataKey{std::move(*wrapped), newest.term};
}

Result<std::vector<std::string>> Keeper::reseal(const WrappedKey& from, const WrappedKey& to,
                                                const std::vector<SealedAt>& secrets) {
    std::vector<std::string> sealed;
    if (secrets.empty()) return sealed;
    const Scope scope = secrets.front().where.scope;
    auto old_key = unwrap(from, scope);
    if (!old_key) return pass_on(old_key);
    auto new_key = unwrap(to, scope);
    if (!new_key) return pass_on(new_key);
    for (const SealedAt& secret : secrets) {
        if (secret.where.scope != scope)
            return fail(FailureKind::invalid, "secrets of two scopes cannot be sealed at once");
        const Identity bound_to = identity(secret.where);
        auto value = vault_open::open(old_key->bytes, old_key->id, Purpose::secret, bound_to,
                                      secret.envelope);
        if (!value)
            return fail_at(value.error().kind, secret.where.field, "cannot open secret '{}': {}",
                           secret.where.field, value.error().message);
        auto again =
            vault::seal(new_key->bytes, new_key->id, Purpose::secret, bound_to, value->reveal());
        if (!again) return pass_on(again);
        sealed.push_back(std::move(*again));
    }
    return sealed;
}

Result<Mac> Keeper::manifest_mac(const Scope& scope, const WrappedKey& data_key,
                                 std::uint64_t counter, const std::vector<ManifestEntry>& entries) {
    auto key = unwrap(data_key, scope);
    if (!key) return pass_on(key);
    return vault::manifest_mac(*key, install_id_, counter, entries);
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
