// What outlives a berth-runner: leaving live runs to the next one, taking over those that
// the one before has left.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "model/limits.h"
#include "sandbox/runner/left_run.h"
#include "sandbox/runner/runner.h"

namespace berth::runner {
namespace {

using namespace std::chrono_literals;

// For runs that are being set up when this process is to end: that takes milliseconds.
constexpr auto kLeaveTime = 2s;
// For jobs to end and berthd to have it on its disk: less than a service manager waits.
constexpr auto kJobsLeaveTime = 20s;
// Of messages that a memfd may hold beyond those that berthd does not have yet.
constexpr std::uint64_t kConfirmedBytes = limits::MiB / 4;
constexpr std::uint32_t kTurnsOfARunner = 64;  // more than berth-egress comes back to one

}  // namespace

// ---- leaving

void Runner::leave(std::function<void()> done) {
    if (!store_) {
        kill_all();
        return done();
    }
    leaving_ = std::move(done);
    leave_by_ = clock_.steady() + kLeaveTime;
    jobs_leave_by_ = clock_.steady() + kJobsLeaveTime;
    leave_if_settled();
}

bool Runner::all_run() const {
    return std::ranges::none_of(runs_, [](const auto& entry) {
        const auto state = entry.second->state();
        return state == LiveRun::State::building || state == LiveRun::State::executing;
    });
}

// On a turn of its own, since a run may be calling us.
void Runner::leave_if_settled() {
    if (leaving_) leave_.start(0s);
}

void Runner::leave_in_time() {
    const auto now = clock_.steady();
    const bool runs_wait = !all_run() && now < leave_by_;
    // Without a berthd nobody would ever say that they are settled.
    const bool jobs_wait = daemon_ && !jobs_.none() && now < jobs_leave_by_;
    if (runs_wait || jobs_wait) {
        const auto rest = (runs_wait ? leave_by_ : jobs_leave_by_) - now;
        return leave_.start(std::chrono::ceil<std::chrono::milliseconds>(rest));
    }
    log_info("live runs are left to the next berth-runner", {{"runs", runs_.size()}});
    leave_now();
    std::exchange(leaving_, {})();
}

void Runner::leave_now() noexcept {
    for (auto& [key, run] : runs_)
        run->leave();
    daemon_.reset();
}

// ---- what is saved while a run is live

void Runner::save(const ipc::Connection& connection) {
    const auto saved = saved_.find({connection.run_id, connection.attempt});
    if (saved == saved_.end()) return;
    try {
        saved->second->say(connection);
        saved->second->commit();
    } catch (const SystemError& error) {
        log_warning("a connection is not saved, it would be lost with berth-runner",
                    {{"run", connection.run_id}, {"why", error.what()}});
    }
}

// Of a run that has ended, its Ended may be nowhere but in the memfd: that one stays.
void Runner::trim_saved(RunKey key) {
    const auto saved = saved_.find(key);
    if (saved == saved_.end() || !runs_.contains(key)) return;
    const auto rest = outbox_.bytes(key);
    const auto most = rest == 0 ? limits::kLogChunkBytes / 4 : kConfirmedBytes + 2 * rest;
    if (saved->second->said_bytes() <= most) return;
    try {
        saved->second->keep_only([&](auto say) { outbox_.repeat(key, say); });
    } catch (const SystemError& error) {
        log_warning("a run's saved state does not get smaller, ignoring",
                    {{"run", key.run_id}, {"why", error.what()}});
    }
}

// ---- taking over

void Runner::take_left(DescriptorStore::Kept left) {
    for (auto& [name, fds] : left) {
        const auto key = parse_stored_name(name);
        if (!key) continue;
        try {
            take_left_run(*key, std::move(fds));
        } catch (const SystemError& error) {  // the boundary of this run
            log_error("a run that was left cannot be taken over, it is killed",
                      {{"run", key->run_id}, {"why", error.what()}});
            drop(*key);
        }
    }
    if (!left.empty())
        log_info("took over the runs of an earlier berth-runner",
                 {{"left", left.size()}, {"live", runs_.size()}});
}

// One that cannot go on ends with the last copy of its status socket; berthd does not find
// it among the live ones, and takes it for lost.
void Runner::take_left_run(RunKey key, std::vector<Fd> fds) {
    auto left = sort_left_run(key, std::move(fds));
    if (!left) {
        log_warning("a run was left without all of its state, it is killed", {{"run", key.run_id}});
        return store_.remove(stored_name(key));
    }
    SavedRun::Read& read = left->read;
    outbox_.open(key);
    outbox_.add(read.facts.started);
    for (const ipc::Output& output : read.outputs)
        outbox_.add(output);
    for (const ipc::Connection& connection : read.unconfirmed)
        outbox_.add(connection);
    if (read.ended) {
        outbox_.add(*read.ended);
        saved_[key] = std::make_shared<SavedRun>(std::move(read.saved));
        return;
    }
    left_[key].secrets = std::move(read.facts.secrets);
    const auto turn = (read.progress.restarts + 1) * kTurnsOfARunner;
    const auto connections = read.connections;
    auto names = std::move(read.facts.egress_names);
    auto listeners = std::move(left->listeners);
    auto run = std::make_unique<LiveRun>(loop_, clock_, launcher_, store_, std::move(*left),
                                         run_events(key, names));
    saved_[key] = run->saved();
    runs_.emplace(key, std::move(run));
    if (!listeners.empty())
        egress_.serve(key, std::move(names), std::move(listeners), turn, connections);
}

// With berthd's word and the keys, those that wait for both.
void Runner::go_on() {
    for (const auto& [key, left] : std::map{left_}) {
        if (!left.adopted || (!left.secrets.empty() && !keys_loaded_)) continue;
        left_.erase(key);
        const auto run = runs_.find(key);
        if (run == runs_.end()) continue;
        const auto secrets = left.secrets.empty()
                                 ? Result<std::vector<Secret>>{std::vector<Secret>{}}
                                 : keys_.open_unlisted(left.secrets);
        if (secrets) {
            run->second->go_on(make_masker(*secrets));
            continue;
        }
        // Its output could not be masked.
        ipc::Ended ended;
        ended.run_id = key.run_id;
        ended.attempt = key.attempt;
        ended.time_us = to_micros(clock_.now());
        ended.kind = ipc::EndKind::lost;
        ended.text = "after a restart of berth-runner: " + secrets.error().message;
        runs_.erase(run);
        egress_.stop(key, [] {});
        say(ended);
    }
}

}  // namespace berth::runner
