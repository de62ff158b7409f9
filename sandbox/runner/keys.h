// The runner's keys as the messages speak of them, and what it remembers of the store so
// that nobody can put old secrets back: turns messages into calls of
// the vault's opening half, and every refusal into a text for berthd. Nothing that
// leaves here is a plaintext but what open() gives to a plan.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/anchors.h"
#include "vault/keeper.h"
#include "vault/mask.h"

namespace berth::runner {

class Keys {
public:
    // Without a root key the runner stays up and says why to whoever asks.
    explicit Keys(Result<vault::RootKey> root_key, std::vector<vault::RootKey> previous = {});
    // Their sources were read again; what is loaded stays. A root key that is not current any
    // more opens until the next start, as if it were listed. A refusal changes nothing.
    Result<void> reload(Result<vault::RootKey> root_key, std::vector<vault::RootKey> previous);
    // Where the anchors are kept; without, in memory only.
    void keep_anchors_in(const std::filesystem::path& folder);

    std::string root_key_id() const { return keeper_ ? keeper_->root_key_id() : std::string{}; }
    std::vector<std::string> previous_root_key_ids() const;
    // Why there is no root key; empty when there is one.
    const std::string& why() const noexcept { return why_; }

    ipc::KeysLoaded load(const ipc::LoadKeys& message);
    ipc::DataKey new_data_key(const ipc::NewDataKey& message);
    ipc::Sealed seal(const ipc::Seal& message);
    ipc::MacChecked check_mac(const ipc::CheckMac& message);
    // The values, in the order of `secrets`, only if each is on the list of its scope and the
    // list is the latest:
    //   conflict      something was changed or put back; nothing may be done with it
    //   unavailable   a key that is not loaded (yet)
    Result<std::vector<Secret>> open(const std::vector<ipc::RunSecret>& secrets,
                                     const std::vector<ipc::Manifest>& manifests);
    // What is on no list: those of a live run again, and what passes through one job.
    Result<std::vector<Secret>> open_unlisted(const std::vector<ipc::RunSecret>& secrets);

    // keys_rotation.cpp
    ipc::KekMade new_kek(const ipc::NewKek& message);
    ipc::Rewrapped rewrap_keks(const ipc::RewrapKeks& message);
    ipc::Rewrapped rewrap_data_keys(const ipc::RewrapDataKeys& message);
    ipc::Rewrapped reseal(const ipc::Reseal& message);

    // keys_manifest.cpp
    ipc::ManifestMade make_manifest(const ipc::MakeManifest& message);
    void anchor(const ipc::Anchor& message);
    ipc::AnchorSet accept_restore(const ipc::AcceptRestore& message);
    bool anchors_unsaved() const { return anchors_ && anchors_->dirty(); }
    void save_anchors();  // throws SystemError

private:
    Result<void> check(const ipc::Manifest& manifest);
    Result<void> check(const ipc::RunSecret& secret, const std::vector<ipc::Manifest>& manifests);

    std::optional<vault_open::Keeper> keeper_;
    std::string why_;
    std::filesystem::path anchor_folder_;
    Result<Anchors> anchors_ = Anchors{};
};

vault::Masker make_masker(const std::vector<Secret>& secrets);

}  // namespace berth::runner
