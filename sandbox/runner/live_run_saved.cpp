// The part of a LiveRun that outlives berth-runner: what is saved at each step, and how
// the next runner goes on.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "sandbox/runner/live_run.h"

namespace berth::runner {
namespace {

using namespace std::chrono_literals;

// Records of the sandbox protocol, as they lie in memory. One that was written by an
// earlier release may be shorter: what it lacks is zero.
template <typename Record>
std::string bytes_of(const Record& record) {
    static_assert(std::is_trivially_copyable_v<Record>);
    return {reinterpret_cast<const char*>(&record), sizeof record};
}
template <typename Record>
void take_bytes(const std::string& bytes, Record& record) {
    std::memcpy(&record, bytes.data(), std::min(bytes.size(), sizeof record));
}

}  // namespace

LiveRun::LiveRun(Loop& loop, const Clock& clock, LauncherClient& launcher,
                 const DescriptorStore& store, LeftRun left, Events events)
    : loop_{loop},
      clock_{clock},
      launcher_{launcher},
      store_{store},
      key_{left.key},
      wall_time_{left.read.facts.wall_time_s},
      events_{std::move(events)},
      state_{State::running},
      sandbox_{left.read.facts.slot, left.read.facts.serial},
      next_seq_{left.read.progress.next_seq},
      restarts_{left.read.progress.restarts + 1},
      saved_{std::make_shared<SavedRun>(std::move(left.read.saved))},
      waiting_{std::move(left.read.progress.output)},
      output_{vault::Masker{{}}, RunOutput::kLimits,
              [this](ipc::StreamKind stream, std::string bytes) { say(stream, std::move(bytes)); }},
      cgroup_{std::move(left.cgroup)},
      deadline_{loop, [this] { on_deadline(); }} {
    const RunProgress& before = left.read.progress;
    take_bytes(left.read.facts.limits, limits_);
    status_.fd = std::move(left.status);
    pidfd_.fd = std::move(left.pidfd);
    attach(out_, std::move(left.out), ipc::StreamKind::out);
    attach(err_, std::move(left.err), ipc::StreamKind::err);
    if (before.decided)
        verdict_ = Verdict{static_cast<ipc::EndKind>(before.kind), before.number, before.text};
    if (!before.report.empty()) {
        take_bytes(before.report, report_);
        reported_ = true;
        counters_ = read_counters(cgroup_.get());
        drain();
        return;
    }
    // Whether it was being killed shows when nobody is at the other end of the socket.
    if (before.decided) state_ = State::terminating;
    status_.watch(loop_, [this] { status_ready(); });
    const SteadyTime due{std::chrono::microseconds{before.deadline_us}};
    arm(std::max(0ms,
                 std::chrono::duration_cast<std::chrono::milliseconds>(due - clock_.steady())));
}

// Before the script can run, so that no connection of it is refused in between.
void LiveRun::save_listeners() {
    std::vector<int> fds;
    for (const Fd& listener : listeners_)
        fds.push_back(listener.get());
    if (!fds.empty()) (void)store_.keep(stored_name(key_), fds);
}

void LiveRun::save_start(const ipc::Started& started) {
    if (!store_) return;
    RunFacts facts;
    facts.started = started;
    facts.wall_time_s = wall_time_.count();
    facts.limits = bytes_of(limits_);
    facts.egress_names = std::move(egress_names_);
    facts.secrets = std::move(secrets_);
    try {
        facts.status = file_id(status_.fd.get());
        facts.out = file_id(out_->fd());
        facts.err = file_id(err_->fd());
        facts.cgroup = file_id(cgroup_.get());
        facts.slot = sandbox_.slot;
        facts.serial = sandbox_.serial;
        saved_ = std::make_shared<SavedRun>(facts, progress());
    } catch (const SystemError& error) {
        return not_saved(error);
    }
    std::vector<int> fds{saved_->fd(), status_.fd.get(), pidfd_.fd.get(), out_->fd(), err_->fd()};
    if (cgroup_) fds.push_back(cgroup_.get());
    if (!store_.keep(stored_name(key_), fds)) saved_.reset();
}

void LiveRun::not_saved(const SystemError& error) {
    log_warning("a run's state cannot be saved: it would be lost with berth-runner",
                {{"run", key_.run_id}, {"why", error.what()}});
    store_.remove(stored_name(key_));
    saved_.reset();
}

RunProgress LiveRun::progress() const {
    RunProgress now;
    now.next_seq = next_seq_;
    now.restarts = restarts_;
    now.deadline_us = due_.time_since_epoch().count();
    if (verdict_) {
        now.decided = true;
        now.kind = static_cast<std::uint32_t>(verdict_->kind);
        now.number = verdict_->number;
        now.text = verdict_->text;
    }
    if (reported_) now.report = bytes_of(report_);
    now.output = waiting_ ? *waiting_ : output_.progress();
    return now;
}

void LiveRun::say(ipc::StreamKind stream, std::string bytes) {
    said_.push_back({key_.run_id, key_.attempt, next_seq_++, to_micros(clock_.now()), stream,
                     std::move(bytes)});
}

// What has happened is saved, then told: what berthd has heard no later runner says
// differently.
void LiveRun::step(const ipc::Ended* ended) {
    const auto said = std::exchange(said_, {});
    if (saved_) try {
            for (const ipc::Output& output : said)
                saved_->say(output);
            if (ended != nullptr) saved_->say(*ended);
            saved_->commit(progress());
        } catch (const SystemError& error) {
            not_saved(error);
        }
    for (const ipc::Output& output : said)
        events_.on_output(output);
}

void LiveRun::go_on(vault::Masker masker) {
    if (!waiting_) return;
    output_.take_over(std::move(masker), *waiting_);
    waiting_.reset();
    step();
    read_output();
}

}  // namespace berth::runner
