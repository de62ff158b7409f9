#include "sandbox/runner/runner.h"

#include <new>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "model/limits.h"
#include "sandbox/runner/left_run.h"

namespace berth::runner {
namespace {

constexpr std::chrono::seconds kPoolReportTime{1};
// For the launcher's hello, which is there at once where it can start at all.
constexpr std::chrono::seconds kLauncherHello{2};

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

// What berthd tells a key that is not loaded yet and a secret that was tampered with by.
int error_number(FailureKind kind) {
    if (kind == FailureKind::unavailable) return ENOKEY;
    return kind == FailureKind::conflict || kind == FailureKind::denied ? EKEYREJECTED : 0;
}

}  // namespace

Runner::Runner(Loop& loop, const Clock& clock, Keys keys, SecretMemory memory, Events events,
               DescriptorStore store)
    : loop_{loop},
      clock_{clock},
      keys_{std::move(keys)},
      memory_{memory},
      events_{std::move(events)},
      launcher_{loop,
                clock,
                {[this] { say_hello(); }, [this](const std::string& why) { launcher_gone(why); },
                 [this] { pool_changed(); }}},
      egress_{loop,
              clock,
              {[this](const ipc::Connection& connection) {
                   if (Jobs::is_job(connection)) return jobs_.connection(connection);
                   save(connection);
                   say(connection);
               },
               [this] {
                   if (!launcher_.expected()) say_hello();
               },
               [this] { events_.on_egress_gone(); }}},
      jobs_{{loop, clock, keys_, launcher_, egress_},
            {[this](const ipc::JobEnded& ended) {
                 if (daemon_) daemon_->send(ended);
             },
             [this] { leave_if_settled(); }}},
      store_{std::move(store)},
      hello_anyway_{loop, [this] { say_hello(); }},
      tell_pool_{loop,
                 [this] {
                     if (daemon_) daemon_->send(launcher_.pool());
                 }},
      save_anchors_{loop, [this] { save_anchors(); }},
      leave_{loop, [this] { leave_in_time(); }} {}

// ---- the two connections

void Runner::serve_daemon(Fd connected) {
    daemon_ = std::make_unique<ipc::Channel>(
        loop_, std::move(connected),
        ipc::Channel::Events{
            [this](ipc::MessageType type, std::string_view payload) { receive(type, payload); },
            [this](const std::string& why) { daemon_gone(why); }});
    offered_ = outbox_.runs();
    ipc::LiveRuns live;
    for (const RunKey& key : offered_)
        live.runs.push_back({key.run_id, key.attempt});
    live.jobs = jobs_.all();
    daemon_->send(live);
    for (const auto& [id, ended] : jobs_.ended())
        daemon_->send(ended);
    if (launcher_.expected())
        hello_anyway_.start(kLauncherHello);
    else
        say_hello();
}

void Runner::attach_launcher(Fd connected) { launcher_.attach(std::move(connected)); }

void Runner::attach_egress(Fd connected) { egress_.attach(std::move(connected)); }

void Runner::say_hello() {
    hello_anyway_.stop();
    if (!daemon_) return;
    ipc::RunnerHello hello;
    hello.root_key_id = keys_.root_key_id();
    hello.previous_root_keys = keys_.previous_root_key_ids();
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
    if (hello.launcher_present) pool_changed();  // it may have been filled before berthd came
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
    log_info("berthd is gone, live runs go on", {{"why", why}, {"runs", runs_.size()}});
    offered_.clear();
    daemon_.reset();
    leave_if_settled();
    events_.on_daemon_gone();
}

// Never called from within a run's callback: the ways here are berthd's socket and
// a signal.
void Runner::kill_all() {
    runs_.clear();
    jobs_.kill_all();
    egress_.forget_all();
    held_back_ = false;
    outbox_ = {};
    left_.clear();
    for (const auto& [key, saved] : std::exchange(saved_, {}))
        store_.remove(stored_name(key));
    daemon_.reset();
}

// ---- runs

void Runner::start(ipc::Start message) {
    const RunKey key{message.run_id, message.attempt};
    if (runs_.contains(key)) {
        log_warning("a start for a run that is live, ignoring", {{"run", key.run_id}});
        return;
    }
    outbox_.open(key);
    try {
        const auto request = make_build_request(message);
        if (!request) return refuse(key, request.error().message, 0);
        if (request->kind.network == ipc::Network::egress && !egress_.present())
            return refuse(key, kNoEgress, ENOTCONN);
        auto order = prepare(message, *request);
        if (!order) return refuse(key, order.error().message, error_number(order.error().kind));
        auto run = std::make_unique<LiveRun>(loop_, clock_, launcher_, store_, std::move(*order),
                                             run_events(key, std::move(message.egress_names)));
        if (held_back_) run->pause_output();
        runs_.emplace(key, std::move(run));
    } catch (const SystemError& error) {
        refuse(key, error.what(), error.err());
    } catch (const std::bad_alloc&) {
        refuse(key, "not enough locked memory for the run's secrets; raise LimitMEMLOCK=", ENOMEM);
    }
}

Result<RunOrder> Runner::prepare(const ipc::Start& message, const ipc::BuildRequest& request) {
    // First, so that the launcher mounts the release while the secrets are opened. Should
    // something be wrong with the rest, a parked sandbox was wasted.
    auto taken = launcher_.take(request);
    auto secrets = keys_.open(message.secrets, message.manifests);
    save_anchors_soon();
    if (!secrets) return pass_on(secrets);
    auto plan = make_plan(message, *secrets);
    if (!plan) return pass_on(plan);
    return RunOrder{{message.run_id, message.attempt},
                    request,
                    std::move(taken),
                    std::move(*plan),
                    make_masker(*secrets),
                    std::chrono::seconds{message.wall_time_s},
                    message.secrets,
                    message.egress_names};
}

void Runner::refuse(const RunKey& key, const std::string& why, int err) {
    say(setup_failed(key, to_micros(clock_.now()), why, err));
}

LiveRun::Events Runner::run_events(RunKey key, std::vector<std::string> egress_names) {
    return {[this, key](const ipc::Started& started) {
                if (const auto& saved = runs_.at(key)->saved()) saved_[key] = saved;
                say(started);
                leave_if_settled();
            },
            [this, key, names = std::move(egress_names)](std::vector<Fd> listeners) {
                egress_.serve(key, names, std::move(listeners));
            },
            [this](const ipc::Output& output) {
                say(output);
                pace_output();
            },
            [this, key](const ipc::Ended& ended) { end(key, ended); }};
}

void Runner::end(RunKey key, const ipc::Ended& ended) {
    // After the last of its connections.
    egress_.stop(key, [this, ended] { say(ended); });
    // Destroyed later, since this call comes from within the run.
    ended_.push_back(runs_.extract(key));
    loop_.later([this] { ended_.clear(); });
    leave_if_settled();
}

// ---- what is said, and kept until berthd has it

void Runner::adopt(const ipc::Adopt& message) {
    if (offered_.empty()) return;
    std::set<RunKey> wanted;
    for (const ipc::RunName& run : message.runs)
        wanted.insert({run.run_id, run.attempt});
    for (const RunKey& key : std::exchange(offered_, {})) {
        if (!wanted.contains(key)) drop(key);
        if (const auto left = left_.find(key); left != left_.end()) left->second.adopted = true;
    }
    outbox_.repeat([this](const auto& said) { daemon_->send(said); });
    go_on();
}

// berthd wants nothing more of it; should it live, it is killed.
void Runner::drop(RunKey key) {
    if (const auto run = runs_.find(key); run != runs_.end()) {
        log_warning("a live run that berthd does not want is killed", {{"run", key.run_id}});
        runs_.erase(run);
        egress_.stop(key, [] {});
    }
    outbox_.close(key);
    left_.erase(key);
    saved_.erase(key);
    store_.remove(stored_name(key));
    pace_output();
}

// Resumed at half of the limit, so that the pipes are not stopped and started for every
// frame.
void Runner::pace_output() {
    const auto limit = held_back_ ? limits::kOutputQueueBytes / 2 : limits::kOutputQueueBytes;
    const bool full = outbox_.bytes() > limit;
    if (full == std::exchange(held_back_, full)) return;
    for (auto& [key, run] : runs_)
        full ? run->pause_output() : run->resume_output();
}

}  // namespace berth::runner
