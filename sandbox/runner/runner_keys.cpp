// What berthd asks of the runner's keys, and keeping what they remember of the store.
#include <type_traits>

#include "base/error.h"
#include "base/log.h"
#include "sandbox/runner/runner.h"

namespace berth::runner {
namespace {

// A sync of the disk holds up all runs: what changes within this time is kept by one.
constexpr std::chrono::seconds kAnchorTime{1};
constexpr std::chrono::seconds kAnchorRetry{30};

}  // namespace

bool Runner::receive_for_keys(ipc::MessageType type, std::string_view payload) {
    bool good = false;
    const auto take =
        [&]<typename Answer, typename Message>(Answer (Keys::*handle)(const Message&)) {
            if (type != Message::kType) return;
            const auto message = ipc::decode<Message>(payload);
            if (!message) return;
            good = true;
            if constexpr (std::is_void_v<Answer>)
                (keys_.*handle)(*message);
            else
                daemon_->send((keys_.*handle)(*message));
        };
    take(&Keys::new_data_key);
    take(&Keys::seal);
    take(&Keys::check_mac);
    take(&Keys::new_kek);
    take(&Keys::rewrap_keks);
    take(&Keys::rewrap_data_keys);
    take(&Keys::reseal);
    take(&Keys::make_manifest);
    take(&Keys::anchor);
    take(&Keys::accept_restore);
    save_anchors_soon();
    return good;
}

void Runner::take_root_keys(Result<vault::RootKey> root_key, std::vector<vault::RootKey> previous) {
    const std::string before = keys_.root_key_id();
    if (auto taken = keys_.reload(std::move(root_key), std::move(previous)); !taken)
        return log_error("the root key is not taken, the one there is stays",
                         {{"why", taken.error().message}});
    const bool same = keys_.root_key_id() == before;
    log_info("read the root key again", {{"changed", same ? "no" : "yes"}});
    say_hello();
}

void Runner::save_anchors_soon() {
    if (keys_.anchors_unsaved() && !save_anchors_.armed()) save_anchors_.start(kAnchorTime);
}

void Runner::save_anchors() {
    try {
        keys_.save_anchors();
    } catch (const SystemError& error) {
        log_error("cannot keep which secrets are the latest, trying again",
                  {{"reason", error.what()}});
        save_anchors_.start(kAnchorRetry);
    }
}

Runner::~Runner() {
    if (keys_.anchors_unsaved()) save_anchors();
}

}  // namespace berth::runner
