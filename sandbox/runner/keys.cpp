#include "sandbox/runner/keys.h"

#include <utility>

#include "sandbox/runner/keys_convert.h"
#include "vault/mac.h"

namespace berth::runner {
namespace {

std::optional<vault::MacKind> to_vault(ipc::MacKind kind) {
    switch (kind) {
        case ipc::MacKind::hmac_sha256: return vault::MacKind::hmac_sha256;
        case ipc::MacKind::hmac_sha1: return vault::MacKind::hmac_sha1;
        case ipc::MacKind::hmac_sha512: return vault::MacKind::hmac_sha512;
        case ipc::MacKind::token: return vault::MacKind::token;
        case ipc::MacKind::ecdsa_p256: return vault::MacKind::ecdsa_p256;
    }
    return {};
}

std::optional<vault::MacKeyForm> to_vault(ipc::MacKeyForm form) {
    switch (form) {
        case ipc::MacKeyForm::raw: return vault::MacKeyForm::raw;
        case ipc::MacKeyForm::base64: return vault::MacKeyForm::base64;
        case ipc::MacKeyForm::hex: return vault::MacKeyForm::hex;
    }
    return {};
}

}  // namespace

Keys::Keys(Result<vault::RootKey> root_key, std::vector<vault::RootKey> previous) {
    if (root_key)
        keeper_.emplace(std::move(*root_key), std::move(previous));
    else
        why_ = root_key.error().message;
}

Result<void> Keys::reload(Result<vault::RootKey> root_key, std::vector<vault::RootKey> previous) {
    if (!root_key) return pass_on(root_key);
    if (keeper_) {
        keeper_->take_roots(std::move(*root_key), std::move(previous));
    } else {
        keeper_.emplace(std::move(*root_key), std::move(previous));
        why_.clear();
    }
    return {};
}

std::vector<std::string> Keys::previous_root_key_ids() const {
    return keeper_ ? keeper_->previous_root_key_ids() : std::vector<std::string>{};
}

ipc::KeysLoaded Keys::load(const ipc::LoadKeys& message) {
    if (!keeper_) return {false, why_, {}};
    std::vector<vault::WrappedKey> keks;
    for (const auto& kek : message.keks)
        keks.push_back(to_vault(kek));
    auto fresh = keeper_->load(message.install_id, keks);
    if (!fresh) return {false, fresh.error().message, {}};
    if (anchors_) anchors_->belong_to(message.install_id);
    ipc::KeysLoaded loaded{true, {}, {}};
    for (auto& key : *fresh)
        loaded.fresh.push_back(from_vault(std::move(key)));
    return loaded;
}

ipc::DataKey Keys::new_data_key(const ipc::NewDataKey& message) {
    if (!keeper_) return {message.request, why_, {}, 0};
    if (!is_known(message.scope.kind)) return {message.request, kUnknownScope, {}, 0};
    auto made = keeper_->new_data_key(to_vault(message.scope), message.key_id);
    if (!made) return {message.request, made.error().message, {}, 0};
    return {message.request, {}, from_vault(std::move(made->key)), made->kek_term};
}

ipc::Sealed Keys::seal(const ipc::Seal& message) {
    if (!keeper_) return {message.request, why_, {}};
    if (!is_known(message.where.scope.kind)) return {message.request, kUnknownScope, {}};
    auto sealed =
        keeper_->seal(to_vault(message.data_key), to_vault(message.where), message.plaintext);
    if (!sealed) return {message.request, sealed.error().message, {}};
    return {message.request, {}, std::move(*sealed)};
}

// With a key that cannot be opened or read nothing is right, also not under the others: it
// was tampered with, or is not what its owner thinks it is.
ipc::MacChecked Keys::check_mac(const ipc::CheckMac& message) {
    const auto kind = to_vault(message.kind);
    const auto form = to_vault(message.key_form);
    if (!kind || !form)
        return {message.request, false,
                "the MAC is of a kind that this program does not know; update berth-runner"};
    if (message.keys.empty()) return {message.request, false, "there is no key to check with"};
    const auto stored = open(message.keys, message.manifests);
    if (!stored) return {message.request, false, stored.error().message};
    bool right = false;
    for (std::size_t i = 0; i < stored->size(); ++i) {
        const auto unusable = [&](const Failure& why) {
            return ipc::MacChecked{message.request, false,
                                   fmt::format("cannot use the secret '{}': {}",
                                               message.keys[i].where.field, why.message)};
        };
        const auto key = vault::decode_mac_key((*stored)[i], message.key_prefix, *form);
        if (!key) return unusable(key.error());
        const auto fits = vault::any_right(*kind, *key, message.message, message.candidates);
        if (!fits) return unusable(fits.error());
        right |= *fits;
    }
    return {message.request, right, {}};
}

Result<std::vector<Secret>> Keys::open_unlisted(const std::vector<ipc::RunSecret>& secrets) {
    if (!keeper_) return fail(FailureKind::unavailable, "{}", why_);
    std::vector<Secret> values;
    for (const ipc::RunSecret& secret : secrets) {
        if (!is_known(secret.where.scope.kind))
            return fail(FailureKind::invalid, "{}", kUnknownScope);
        auto value =
            keeper_->open(to_vault(secret.data_key), to_vault(secret.where), secret.envelope);
        if (!value)
            return fail(value.error().kind, "cannot open the secret '{}': {}", secret.where.field,
                        value.error().message);
        values.push_back(std::move(*value));
    }
    return values;
}

vault::Masker make_masker(const std::vector<Secret>& secrets) {
    std::vector<std::string_view> values;
    for (const Secret& secret : secrets)
        values.push_back(secret.reveal());
    return vault::Masker{values};
}

}  // namespace berth::runner
