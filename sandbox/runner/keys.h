// The runner's keys as the messages speak of them: turns messages into calls of
// the vault's opening half, and every refusal into a text for berthd. Nothing that
// leaves here is a plaintext but what open() gives to a plan.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "sandbox/ipc/messages.h"
#include "vault/keeper.h"
#include "vault/mask.h"

namespace berth::runner {

class Keys {
public:
    // Without a root key the runner stays up and says why to whoever asks.
    explicit Keys(Result<vault::RootKey> root_key);

    std::string root_key_id() const { return keeper_ ? keeper_->root_key_id() : std::string{}; }
    // Why there is no root key; empty when there is one.
    const std::string& why() const noexcept { return why_; }

    ipc::KeysLoaded load(const ipc::LoadKeys& message);
    ipc::DataKey new_data_key(const ipc::NewDataKey& message);
    ipc::Sealed seal(const ipc::Seal& message);
    ipc::MacChecked check_mac(const ipc::CheckMac& message);
    // The values, in the order of `secrets`.
    Result<std::vector<Secret>> open(const std::vector<ipc::RunSecret>& secrets);

private:
    std::optional<vault_open::Keeper> keeper_;
    std::string why_;
};

vault::Masker make_masker(const std::vector<Secret>& secrets);

}  // namespace berth::runner
