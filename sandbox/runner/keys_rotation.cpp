// Rotation as the messages speak of it: what comes wrapped or sealed goes so.
#include <utility>

#include "sandbox/runner/keys.h"
#include "sandbox/runner/keys_convert.h"

namespace berth::runner {

ipc::KekMade Keys::new_kek(const ipc::NewKek& message) {
    if (!keeper_) return {message.request, why_, {}};
    auto made = keeper_->new_kek(message.term);
    if (!made) return {message.request, made.error().message, {}};
    return {message.request, {}, from_vault(std::move(*made))};
}

ipc::Rewrapped Keys::rewrap_keks(const ipc::RewrapKeks& message) {
    ipc::Rewrapped answer{message.request, why_, 0, {}};
    if (!keeper_) return answer;
    for (const ipc::WrappedKey& kek : message.keks) {
        auto again = keeper_->rewrap(to_vault(kek));
        if (!again) return {message.request, again.error().message, 0, {}};
        answer.envelopes.push_back(std::move(again->envelope));
    }
    return answer;
}

ipc::Rewrapped Keys::rewrap_data_keys(const ipc::RewrapDataKeys& message) {
    ipc::Rewrapped answer{message.request, why_, 0, {}};
    if (!keeper_) return answer;
    for (const ipc::ScopedKey& key : message.keys) {
        if (!is_known(key.scope.kind)) return {message.request, kUnknownScope, 0, {}};
        auto again = keeper_->rewrap(to_vault(key.scope), to_vault(key.key));
        if (!again) return {message.request, again.error().message, 0, {}};
        answer.envelopes.push_back(std::move(again->key.envelope));
        answer.kek_term = again->kek_term;
    }
    return answer;
}

ipc::Rewrapped Keys::reseal(const ipc::Reseal& message) {
    if (!keeper_) return {message.request, why_, 0, {}};
    std::vector<vault_open::SealedAt> secrets;
    for (const ipc::SealedAt& secret : message.secrets) {
        if (!is_known(secret.where.scope.kind)) return {message.request, kUnknownScope, 0, {}};
        secrets.push_back({to_vault(secret.where), secret.envelope});
    }
    auto sealed = keeper_->reseal(to_vault(message.from), to_vault(message.to), secrets);
    if (!sealed) return {message.request, sealed.error().message, 0, {}};
    return {message.request, {}, 0, std::move(*sealed)};
}

}  // namespace berth::runner
