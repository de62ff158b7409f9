#include "sandbox/runner/runner.h"

#include <new>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "model/limits.h"

namespace berth::runner {
namespace {

constexpr std::chrono::seconds kPoolReportTime{1};

constexpr const char* kNoEgress = "berth-egress is not there; see whether it is running";

ipc::Ended setup_failed(const RunKey& key, std::int64_t time_us, std::string why, int err) {
    ipc::Ended ended;
    ended.run_id = key.run_id;
    ended.attempt = key.attempt;
    ended.time_us = time_us;
    ended.kind = ipc::EndKind::setup_failed;
    ended.number = err;
    ended.text = std::move(why);
    return ended;
}

vault::Masker make_masker(const std::vector<Secret>& secrets) {
    std::vector<std::string_view> values;
    for (const Secret& secret : secrets)
        values.push_back(secret.reveal());
    return vault::Masker{values};
}

}  // namespace

Runner::Runner(Loop& loop, const Clock& clock, Keys keys, SecretMemory memory, Events events)
    : loop_{loop},
      clock_{clock},
      keys_{std::move(keys)},
      memory_{memory},
      events_{std::move(events)},
      launcher_{loop,
                {[this] { say_hello(); }, [this](const std::string& why) { launcher_gone(why); },
                 [this] { pool_changed(); }}},
      egress_{loop,
              clock,
              {[this](const ipc::Connection& connection) { daemon_->send(connection); },
               [this] {
                   if (!launcher_.expected()) say_hello();
               },
               [this] { events_.on_egress_gone(); }}},
      tell_pool_{loop, [this] {
                     if (daemon_) daemon_->send(launcher_.pool());
                 }} {}

// ---- the two connections

void Runner::serve_daemon(Fd connected) {
    daemon_ = std::make_unique<ipc::Channel>(
        loop_, std::move(connected),
        ipc::Channel::Events{
            [this](ipc::MessageType type, std::string_view payload) { receive(type, payload); },
            [this](const std::string& why) { daemon_gone(why); }});
    // Half of the limit, so that the pipes are not stopped and started for every frame.
    daemon_->on_drained(limits::kOutputQueueBytes / 2, [this] {
        if (!std::exchange(held_back_, false)) return;
        for (auto& [key, run] : runs_)
            run->resume_output();
    });
    if (!launcher_.expected()) say_hello();
}

void Runner::attach_launcher(Fd connected) { launcher_.attach(std::move(connected)); }

void Runner::attach_egress(Fd connected) { egress_.attach(std::move(connected)); }

void Runner::say_hello() {
    if (!daemon_) return;
    ipc::RunnerHello hello;
    hello.root_key_id = keys_.root_key_id();
    hello.why = keys_.why();
    hello.secret_memory_locked = memory_ == SecretMemory::locked;
    if (const auto& launcher = launcher_.hello()) {
        hello.launcher_present = true;
        hello.protections = launcher->protections;
        hello.landlock_abi = launcher->landlock_abi;
        hello.slots = launcher->slots;
        hello.first_uid = launcher->first_uid;
    }
    hello.egress_present = egress_.present();
    daemon_->send(hello);
}

void Runner::launcher_gone(const std::string& why) {
    log_warning("the launcher is gone, new runs fail until it is back", {{"why", why}});
    say_hello();
    events_.on_launcher_gone();
}

// It changes with every run: berthd hears of it once in a while.
void Runner::pool_changed() {
    if (daemon_ && !tell_pool_.armed()) tell_pool_.start(kPoolReportTime);
}

void Runner::daemon_gone(const std::string& why) {
    log_info("berthd is gone, its runs are killed", {{"why", why}, {"runs", runs_.size()}});
    kill_all();
    events_.on_daemon_gone();
}

// Never called from within a run's callback: the ways here are berthd's socket and
// a signal.
void Runner::kill_all() {
    runs_.clear();
    egress_.forget_all();
    held_back_ = false;
    daemon_.reset();
}

// ---- messages

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
                    daemon_->send(keys_.load(message));
                });
            case ipc::MessageType::new_data_key:
                return take<ipc::NewDataKey>(payload, [this](const ipc::NewDataKey& message) {
                    daemon_->send(keys_.new_data_key(message));
                });
            case ipc::MessageType::seal:
                return take<ipc::Seal>(payload, [this](const ipc::Seal& message) {
                    daemon_->send(keys_.seal(message));
                });
            case ipc::MessageType::start:
                return take<ipc::Start>(payload,
                                        [this](ipc::Start message) { start(std::move(message)); });
            case ipc::MessageType::cancel:
                return take<ipc::Cancel>(payload, [this](const ipc::Cancel& message) {
                    const auto run = runs_.find({message.run_id, message.attempt});
                    if (run != runs_.end()) run->second->cancel();
                });
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

// ---- runs

void Runner::start(ipc::Start message) {
    const RunKey key{message.run_id, message.attempt};
    if (runs_.contains(key)) {
        log_warning("a start for a run that is live, ignoring", {{"run", key.run_id}});
        return;
    }
    try {
        auto order = prepare(message);
        if (!order) return refuse(key, order.error().message, 0);
        if (order->request.kind.network == ipc::Network::egress && !egress_.present())
            return refuse(key, kNoEgress, ENOTCONN);
        auto run = std::make_unique<LiveRun>(loop_, clock_, launcher_, std::move(*order),
                                             run_events(key, std::move(message.egress_names)));
        if (held_back_) run->pause_output();
        runs_.emplace(key, std::move(run));
    } catch (const SystemError& error) {
        refuse(key, error.what(), error.err());
    } catch (const std::bad_alloc&) {
        refuse(key, "not enough locked memory for the run's secrets; raise LimitMEMLOCK=", ENOMEM);
    }
}

Result<RunOrder> Runner::prepare(const ipc::Start& message) {
    auto request = make_build_request(message);
    if (!request) return pass_on(request);
    auto secrets = keys_.open(message.secrets);
    if (!secrets) return pass_on(secrets);
    auto plan = make_plan(message, *secrets);
    if (!plan) return pass_on(plan);
    return RunOrder{{message.run_id, message.attempt},
                    *request,
                    std::move(*plan),
                    make_masker(*secrets),
                    std::chrono::seconds{message.wall_time_s}};
}

void Runner::refuse(const RunKey& key, const std::string& why, int err) {
    daemon_->send(setup_failed(key, to_micros(clock_.now()), why, err));
}

LiveRun::Events Runner::run_events(RunKey key, std::vector<std::string> egress_names) {
    return {[this, key, names = std::move(egress_names)](std::vector<Fd> listeners) {
                egress_.serve(key, names, std::move(listeners));
            },
            [this](const ipc::Started& started) { daemon_->send(started); },
            [this](const ipc::Output& output) {
                daemon_->send(output);
                hold_back_output();
            },
            [this, key](const ipc::Ended& ended) { end(key, ended); }};
}

void Runner::end(RunKey key, const ipc::Ended& ended) {
    // After the last of its connections.
    egress_.stop(key, [this, ended] { daemon_->send(ended); });
    // Destroyed later, since this call comes from within the run.
    ended_.push_back(runs_.extract(key));
    loop_.later([this] { ended_.clear(); });
}

void Runner::hold_back_output() {
    if (held_back_ || daemon_->queued_bytes() <= limits::kOutputQueueBytes) return;
    held_back_ = true;
    for (auto& [key, run] : runs_)
        run->pause_output();
}

}  // namespace berth::runner
