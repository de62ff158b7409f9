// Lists of secrets and their counters: nothing is opened for a run, a job or the check of a
// MAC that is not on the latest list of its scope, and no list follows one that is not right.
#include <algorithm>
#include <utility>

#include "sandbox/runner/keys.h"
#include "sandbox/runner/keys_convert.h"

namespace berth::runner {
namespace {

std::string name_of(const ipc::Scope& scope) {
    return fmt::format("{} {}", scope.kind == ipc::ScopeKind::tenant ? "tenant" : "integration",
                       scope.id);
}

std::vector<vault::ManifestEntry> to_vault(const std::vector<ipc::ManifestEntry>& entries) {
    std::vector<vault::ManifestEntry> out;
    for (const ipc::ManifestEntry& entry : entries)
        out.push_back({entry.connector_id, entry.field, entry.version, entry.tag});
    return out;
}

tl::unexpected<Failure> old_copy(const ipc::Scope& scope, std::uint64_t counter,
                                 std::uint64_t seen) {
    return fail(FailureKind::conflict,
                "the secrets of {} are an old copy: they are at change {}, and change {} has been "
                "seen here; if a backup was restored on purpose, do 'berth vault accept-restore'",
                name_of(scope), counter, seen);
}

}  // namespace

void Keys::keep_anchors_in(const std::filesystem::path& folder) {
    anchor_folder_ = folder;
    anchors_ = Anchors::load(folder);
}

void Keys::save_anchors() {
    if (anchors_) anchors_->save();
}

Result<void> Keys::check(const ipc::Manifest& manifest) {
    if (!keeper_) return fail(FailureKind::unavailable, "{}", why_);
    if (!anchors_) return fail(FailureKind::conflict, "{}", anchors_.error().message);
    if (!is_known(manifest.scope.kind)) return fail(FailureKind::invalid, "{}", kUnknownScope);
    const auto seen = anchors_->counter(manifest.scope);
    if (manifest.counter < seen.value_or(0))
        return old_copy(manifest.scope, manifest.counter, *seen);
    if (manifest.counter == 0) {
        if (manifest.entries.empty()) return {};
        return fail(FailureKind::conflict, "there is no list of the secrets of {}",
                    name_of(manifest.scope));
    }
    auto mac =
        keeper_->manifest_mac(runner::to_vault(manifest.scope), runner::to_vault(manifest.data_key),
                              manifest.counter, to_vault(manifest.entries));
    if (!mac) return pass_on(mac);
    if (mac->fits(manifest.mac)) return {};
    return fail(FailureKind::conflict,
                "the secrets of {} are not those that were stored last: one was changed, taken "
                "away or put back past Berth; restore a backup, or store them anew",
                name_of(manifest.scope));
}

Result<void> Keys::check(const ipc::RunSecret& secret,
                         const std::vector<ipc::Manifest>& manifests) {
    const auto of_scope = [&](const ipc::Manifest& m) { return same(m.scope, secret.where.scope); };
    const auto manifest = std::ranges::find_if(manifests, of_scope);
    const auto tag = vault::envelope_tag(secret.envelope);
    const bool listed = manifest != manifests.end() &&
                        std::ranges::any_of(manifest->entries, [&](const auto& entry) {
                            return entry.connector_id == secret.where.connector_id &&
                                   entry.field == secret.where.field &&
                                   entry.version == secret.where.version && entry.tag == tag;
                        });
    if (listed) return {};
    return fail(FailureKind::conflict, "the secret '{}' is not on the list of {}",
                secret.where.field, name_of(secret.where.scope));
}

Result<std::vector<Secret>> Keys::open(const std::vector<ipc::RunSecret>& secrets,
                                       const std::vector<ipc::Manifest>& manifests) {
    for (const ipc::Manifest& manifest : manifests)
        if (auto right = check(manifest); !right) return pass_on(right);
    for (const ipc::RunSecret& secret : secrets)
        if (auto right = check(secret, manifests); !right) return pass_on(right);
    auto values = open_unlisted(secrets);
    if (values)
        for (const ipc::Manifest& manifest : manifests)
            anchors_->raise(manifest.scope, manifest.counter);
    return values;
}

ipc::ManifestMade Keys::make_manifest(const ipc::MakeManifest& message) {
    const ipc::Manifest& before = message.before;
    // A scope without a list may get its first; what it has is then what counts.
    ipc::Manifest checked = before;
    if (before.counter == 0) checked.entries.clear();
    if (auto right = check(checked); !right) return {message.request, right.error().message, {}};
    auto mac =
        keeper_->manifest_mac(runner::to_vault(before.scope), runner::to_vault(message.data_key),
                              before.counter + 1, to_vault(message.entries));
    if (!mac) return {message.request, mac.error().message, {}};
    return {message.request, {}, mac->bytes()};
}

void Keys::anchor(const ipc::Anchor& message) {
    if (anchors_ && is_known(message.scope.kind)) anchors_->raise(message.scope, message.counter);
}

ipc::AnchorSet Keys::accept_restore(const ipc::AcceptRestore& message) {
    std::string install = keeper_ ? keeper_->install_id() : std::string{};
    try {
        if (anchor_folder_.empty()) {
            anchors_ = Anchors{};
        } else {
            auto kept = Anchors::load(anchor_folder_);  // other installations' stay
            anchors_ = kept ? *std::move(kept) : Anchors::none(anchor_folder_);
        }
        anchors_->belong_to(install);
        anchors_->forget_all();
        anchors_->save();
    } catch (const SystemError& error) {
        return {message.request, error.what()};
    }
    return {message.request, {}};
}

}  // namespace berth::runner
