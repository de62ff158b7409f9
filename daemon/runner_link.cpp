#include "daemon/runner_link.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/loop/stream.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kFirstBackoff = 20ms;
constexpr auto kMaxBackoff = 2'000ms;

// The message, or a refusal of a peer that does not speak our protocol.
template <typename Message, typename Use>
bool with(std::string_view payload, Use&& use) {
    auto message = ipc::decode<Message>(payload);
    if (!message) return false;
    use(std::move(*message));
    return true;
}

}  // namespace

RunnerLink::RunnerLink(Loop& loop, std::filesystem::path socket, Events events)
    : loop_{loop}, socket_{std::move(socket)}, events_{std::move(events)}, again_{loop, [this] {
                                                                                      connect();
                                                                                  }} {}

void RunnerLink::connect() {
    if (closed_ || channel_) return;
    try {
        Fd fd = connect_unix(socket_, SOCK_SEQPACKET);
        channel_ = std::make_unique<ipc::Channel>(
            loop_, std::move(fd),
            ipc::Channel::Events{
                [this](ipc::MessageType type, std::string_view payload) {
                    on_message(type, payload);
                },
                [this](std::string why) { lost(std::move(why)); },
            });
        if (paused_) channel_->pause();
    } catch (const SystemError& error) {
        last_why_ = error.what();
        again_.start(backoff_);
        backoff_ = std::min<std::chrono::milliseconds>(backoff_ * 2, kMaxBackoff);
    }
}

void RunnerLink::close() {
    closed_ = true;
    again_.stop();
    channel_.reset();
    hello_.reset();
}

std::string RunnerLink::gone() const {
    return fmt::format("berth-runner is not there ({}); it is started again by itself", last_why_);
}

void RunnerLink::lost(std::string why) {
    log_error("the connection to berth-runner has ended", {{"reason", why}});
    last_why_ = std::move(why);
    hello_.reset();
    pool_.reset();
    keys_loaded_ = keys_fresh_ = false;
    // The channel is calling us: it dies on a later turn.
    loop_.later([channel = std::shared_ptr<ipc::Channel>{std::move(channel_)}] {});
    if (loading_) loading_(fail(FailureKind::unavailable, "{}", gone()));
    const auto tell = [this](auto& asked) {
        for (auto& [id, done] : std::exchange(asked, {}))
            done(fail(FailureKind::unavailable, "{}", gone()));
    };
    std::apply([&](auto&... asked) { (tell(asked), ...); }, asked_);
    events_.on_lost(last_why_);
    backoff_ = kFirstBackoff;
    again_.start(backoff_);
}

void RunnerLink::load_keys(ipc::LoadKeys keys, Callback<void(Result<ipc::KeysLoaded>)> done) {
    BERTH_ASSERT(!loading_);
    if (!channel_) return done(fail(FailureKind::unavailable, "{}", gone()));
    loading_ = std::move(done);
    channel_->send(keys);
}

void RunnerLink::new_data_key(ipc::Scope scope, std::uint32_t key_id,
                              Callback<void(Result<ipc::DataKey>)> done) {
    ask(ipc::NewDataKey{0, scope, key_id}, std::move(done));
}

void RunnerLink::seal(ipc::WrappedKey data_key, ipc::FieldRef where, Secret plaintext,
                      Callback<void(Result<std::string>)> done) {
    ask(ipc::Seal{0, std::move(data_key), std::move(where), std::move(plaintext)},
        Callback<void(Result<ipc::Sealed>)>{
            [done = std::move(done)](Result<ipc::Sealed> sealed) mutable {
                if (!sealed) return done(pass_on(sealed));
                done(std::move(sealed->envelope));
            }});
}

template <typename Answer>
bool RunnerLink::take_answer(std::string_view payload) {
    return with<Answer>(payload, [this](Answer answer) {
        auto node = std::get<Asked<Answer>>(asked_).extract(answer.request);
        if (node.empty()) return;
        if (answer.why.empty())
            node.mapped()(std::move(answer));
        else
            node.mapped()(fail(FailureKind::unavailable, "{}", answer.why));
    });
}

void RunnerLink::start(const ipc::Start& start) {
    if (channel_) return channel_->send(start);
    ipc::Ended ended;
    ended.run_id = start.run_id;
    ended.attempt = start.attempt;
    ended.kind = ipc::EndKind::lost;
    ended.text = gone();
    loop_.later([this, ended = std::move(ended)] { events_.on_ended(ended); });
}

void RunnerLink::pause() {
    paused_ = true;
    if (channel_) channel_->pause();
}

void RunnerLink::resume() {
    paused_ = false;
    if (channel_) channel_->resume();
}

void RunnerLink::on_message(ipc::MessageType type, std::string_view payload) {
    using enum ipc::MessageType;
    bool good = false;
    switch (type) {
        case hello:
            good = with<ipc::RunnerHello>(payload, [this](ipc::RunnerHello message) {
                if (message.protocol != ipc::kRunnerProtocol)
                    return log_error(
                        "berth-runner is of another release, nothing can run",
                        {{"its_protocol", message.protocol}, {"ours", ipc::kRunnerProtocol}});
                backoff_ = kFirstBackoff;
                hello_ = message;
                events_.on_hello(message);
            });
            break;
        case live_runs:
            good = with<ipc::LiveRuns>(payload, [this](ipc::LiveRuns m) {
                events_.on_live_runs(std::move(m.runs));
                events_.on_live_jobs(std::move(m.jobs));
            });
            break;
        case keys_loaded:
            good = loading_ && with<ipc::KeysLoaded>(payload, [this](ipc::KeysLoaded message) {
                       keys_loaded_ = message.ok && message.fresh.empty();
                       keys_fresh_ = message.ok && !message.fresh.empty();
                       loading_(std::move(message));
                   });
            break;
        case data_key: good = take_answer<ipc::DataKey>(payload); break;
        case sealed: good = take_answer<ipc::Sealed>(payload); break;
        case mac_checked: good = take_answer<ipc::MacChecked>(payload); break;
        case kek_made: good = take_answer<ipc::KekMade>(payload); break;
        case rewrapped: good = take_answer<ipc::Rewrapped>(payload); break;
        case manifest_made: good = take_answer<ipc::ManifestMade>(payload); break;
        case anchor_set: good = take_answer<ipc::AnchorSet>(payload); break;
        case started:
            good = with<ipc::Started>(payload, [this](ipc::Started m) { events_.on_started(m); });
            break;
        case output:
            good = with<ipc::Output>(payload,
                                     [this](ipc::Output m) { events_.on_output(std::move(m)); });
            break;
        case connection:
            good = with<ipc::Connection>(
                payload, [this](ipc::Connection m) { events_.on_connection(std::move(m)); });
            break;
        case pool:
            good = with<ipc::Pool>(payload, [this](const ipc::Pool& m) { pool_ = m; });
            break;
        case ended:
            good =
                with<ipc::Ended>(payload, [this](ipc::Ended m) { events_.on_ended(std::move(m)); });
            break;
        case job_ended:
            good = with<ipc::JobEnded>(
                payload, [this](ipc::JobEnded m) { events_.on_job_ended(std::move(m)); });
            break;
        case load_keys:
        case new_data_key:
        case seal:
        case start:
        case adopt:
        case stored:
        case settled:
        case start_job:
        case job_settled:
        case check_mac:
        case new_kek:
        case rewrap_keks:
        case rewrap_data_keys:
        case reseal:
        case make_manifest:
        case anchor:
        case accept_restore:
        case cancel: break;  // ours to send, not to get
    }
    if (!good)
        log_error("berth-runner sent a message that does not fit the protocol, ignoring",
                  {{"type", static_cast<int>(type)}});
}

}  // namespace berth
