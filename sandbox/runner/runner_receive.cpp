// What berthd sends: each message to the part that it is for.
#include "base/log.h"
#include "sandbox/runner/runner.h"

namespace berth::runner {
namespace {

constexpr const char* kEnding = "berth-runner is just ending; it is started again by itself";

}  // namespace

template <typename Message, typename Handler>
bool Runner::take(std::string_view payload, Handler handle) {
    auto message = ipc::decode<Message>(payload);
    if (message) handle(std::move(*message));
    return message.has_value();
}

void Runner::receive(ipc::MessageType type, std::string_view payload) {
    const auto handled = [&] {
        switch (type) {
            case ipc::MessageType::load_keys:
                return take<ipc::LoadKeys>(payload, [this](const ipc::LoadKeys& message) {
                    const auto loaded = keys_.load(message);
                    keys_loaded_ = loaded.ok;
                    daemon_->send(loaded);
                    go_on();
                });
            case ipc::MessageType::new_data_key:
            case ipc::MessageType::seal:
            case ipc::MessageType::check_mac:
            case ipc::MessageType::new_kek:
            case ipc::MessageType::rewrap_keks:
            case ipc::MessageType::rewrap_data_keys:
            case ipc::MessageType::reseal:
            case ipc::MessageType::make_manifest:
            case ipc::MessageType::anchor:
            case ipc::MessageType::accept_restore: return receive_for_keys(type, payload);
            case ipc::MessageType::start:
                return take<ipc::Start>(payload,
                                        [this](ipc::Start message) { start(std::move(message)); });
            case ipc::MessageType::cancel:
                return take<ipc::Cancel>(payload, [this](const ipc::Cancel& message) {
                    const auto run = runs_.find({message.run_id, message.attempt});
                    if (run != runs_.end()) run->second->cancel();
                });
            case ipc::MessageType::adopt:
                return take<ipc::Adopt>(payload,
                                        [this](const ipc::Adopt& message) { adopt(message); });
            case ipc::MessageType::stored:
                return take<ipc::Stored>(payload, [this](const ipc::Stored& message) {
                    outbox_.stored(message);
                    trim_saved({message.run.run_id, message.run.attempt});
                    pace_output();
                });
            case ipc::MessageType::settled:
                return take<ipc::Settled>(payload, [this](const ipc::Settled& message) {
                    drop({message.run.run_id, message.run.attempt});
                });
            case ipc::MessageType::start_job:
                return take<ipc::StartJob>(payload, [this](ipc::StartJob message) {
                    if (leaving_) return jobs_.refuse(message.job, kEnding);
                    jobs_.start(std::move(message));
                    save_anchors_soon();
                });
            case ipc::MessageType::job_settled:
                return take<ipc::JobSettled>(payload, [this](const ipc::JobSettled& message) {
                    jobs_.settled(message.job);
                });
            case ipc::MessageType::job_ended:
            case ipc::MessageType::mac_checked:
            case ipc::MessageType::kek_made:
            case ipc::MessageType::rewrapped:
            case ipc::MessageType::manifest_made:
            case ipc::MessageType::anchor_set:
            case ipc::MessageType::live_runs:
            case ipc::MessageType::hello:
            case ipc::MessageType::keys_loaded:
            case ipc::MessageType::data_key:
            case ipc::MessageType::sealed:
            case ipc::MessageType::started:
            case ipc::MessageType::output:
            case ipc::MessageType::connection:
            case ipc::MessageType::pool:
            case ipc::MessageType::ended: return false;  // ours to say
        }
        return false;
    };
    if (!handled())
        daemon_gone(fmt::format("it sent a message of type {} that cannot be read",
                                static_cast<unsigned>(type)));
}

}  // namespace berth::runner
