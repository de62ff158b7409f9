#include "sandbox/runner/egress_client.h"

#include <fcntl.h>

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "model/limits.h"

namespace berth::runner {
namespace {

// Each may be repeated once with its number; two sums.
constexpr std::uint64_t kMostConnections = 2 * limits::kRunConnections + 2;

}  // namespace

EgressClient::EgressClient(Loop& loop, const Clock& clock, Events events)
    : loop_{loop}, clock_{clock}, events_{std::move(events)} {}

EgressClient::~EgressClient() = default;

void EgressClient::attach(Fd connected) {
    answers_ = false;
    attached_ = clock_.steady();
    channel_ = std::make_unique<ipc::EgressChannel>(
        loop_, std::move(connected),
        ipc::EgressChannel::Events{
            [this](ipc::EgressType type, std::string_view payload, const std::vector<Fd>&) {
                if (!receive(type, payload)) channel_->close("it sent what cannot be read");
            },
            [this](const std::string& why) { gone(why); }});
    for (auto& [run, served] : runs_)
        hand_over(run, served);
    events_.on_change();
}

bool EgressClient::present() const {
    return channel_ && (answers_ || clock_.steady() - attached_ < limits::kEgressHelloTime);
}

void EgressClient::serve(RunKey run, std::vector<std::string> names, std::vector<Fd> listeners,
                         std::uint32_t turn, std::uint64_t connections) {
    Served& served = runs_[run];
    served.names = std::move(names);
    served.listeners = std::move(listeners);
    served.turn = turn;
    served.connections = connections;
    if (channel_) hand_over(run, served);
}

// Copies of the descriptors go; ours are for a berth-egress that comes back.
void EgressClient::hand_over(RunKey run, Served& served) {
    std::vector<Fd> copies;
    for (const Fd& listener : served.listeners)
        copies.emplace_back(
            check(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0), "copying a listener"));
    channel_->send(ipc::EgressServe{run.run_id, run.attempt, served.turn++, served.names},
                   std::move(copies));
}

void EgressClient::stop(RunKey run, Callback<void()> done) {
    const auto found = runs_.find(run);
    if (found == runs_.end() || !channel_) {
        if (found != runs_.end()) runs_.erase(found);
        auto shared = std::make_shared<Callback<void()>>(std::move(done));
        return loop_.later([shared] { (*shared)(); });
    }
    Served& served = found->second;
    served.listeners.clear();
    served.stopped = std::move(done);
    served.too_long = std::make_unique<Timer>(loop_, [this, run] { finish(run); });
    served.too_long->start(
        std::chrono::duration_cast<std::chrono::milliseconds>(limits::kDrainTime));
    channel_->send(ipc::EgressStop{run.run_id, run.attempt});
}

void EgressClient::forget_all() {
    for (const auto& [run, served] : std::exchange(runs_, {}))
        if (channel_) channel_->send(ipc::EgressStop{run.run_id, run.attempt});
}

// False when it broke the rules.
bool EgressClient::receive(ipc::EgressType type, std::string_view payload) {
    switch (type) {
        case ipc::EgressType::hello: {
            answers_ = ipc::decode<ipc::EgressHello>(payload).has_value();
            return answers_;
        }
        case ipc::EgressType::connection: {
            auto message = ipc::decode<ipc::EgressConnection>(payload);
            if (!message) return false;
            auto& connection = message->connection;
            const auto run = runs_.find({connection.run_id, connection.attempt});
            // Of a run that was given up in the meantime: nobody wants it.
            if (run == runs_.end()) return true;
            // It tells of fewer; one that was taken over must not fill our memory.
            if (run->second.connections >= kMostConnections) return true;
            connection.number = ++run->second.connections;
            events_.on_connection(connection);
            return true;
        }
        case ipc::EgressType::stopped: {
            const auto message = ipc::decode<ipc::EgressStopped>(payload);
            if (message) finish({message->run_id, message->attempt});
            return message.has_value();
        }
        case ipc::EgressType::serve:
        case ipc::EgressType::stop: return false;  // ours to say
    }
    return false;
}

void EgressClient::finish(RunKey run) {
    const auto found = runs_.find(run);
    if (found == runs_.end() || !found->second.stopped) return;
    auto node = runs_.extract(found);
    auto done = std::move(node.mapped().stopped);
    // Its timer may be what calls us.
    loop_.later([held = std::shared_ptr<Timer>{std::move(node.mapped().too_long)}] {});
    done();
}

void EgressClient::gone(const std::string& why) {
    log_warning("berth-egress is gone, live runs wait for it", {{"why", why}});
    loop_.later([held = std::shared_ptr<ipc::EgressChannel>{std::move(channel_)}] {});
    std::vector<RunKey> stopping;
    for (const auto& [run, served] : runs_)
        if (served.stopped) stopping.push_back(run);
    for (const RunKey& run : stopping)
        finish(run);  // what it had not reported is lost with it
    events_.on_change();
    events_.on_gone();
}

}  // namespace berth::runner
