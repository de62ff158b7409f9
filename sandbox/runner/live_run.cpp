#include "sandbox/runner/live_run.h"

#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <utility>

#include "base/error.h"
#include "base/overloaded.h"
#include "model/limits.h"
#include "sandbox/runner/cgroup_events.h"

namespace berth::runner {

using ipc::EndKind;
using ipc::StreamKind;

void LiveRun::Watched::watch(Loop& loop, std::function<void()> on_ready) {
    poll.emplace(loop, fd.get(), [ready = std::move(on_ready)](int) { ready(); });
    poll->want(Poll::readable);
}

void LiveRun::Watched::close() {
    poll.reset();
    fd.reset();
}

LiveRun::LiveRun(Loop& loop, const Clock& clock, LauncherClient& launcher,
                 const DescriptorStore& store, RunOrder order, Events events)
    : loop_{loop},
      clock_{clock},
      launcher_{launcher},
      store_{store},
      key_{order.key},
      plan_{std::move(order.plan)},
      wall_time_{order.wall_time},
      request_{order.request},
      limits_{order.request.assignment.limits},
      secrets_{std::move(order.secrets)},
      egress_names_{std::move(order.egress_names)},
      events_{std::move(events)},
      output_{std::move(order.masker), RunOutput::kLimits,
              [this](StreamKind stream, std::string bytes) { say(stream, std::move(bytes)); }},
      deadline_{loop, [this] { on_deadline(); }} {
    arm(limits::kSetupTime);
    if (order.taken)
        go_warm(std::move(*order.taken));
    else
        build();
}

LiveRun::~LiveRun() {
    launcher_.forget(build_id_);
    if (state_ == State::ended || left_behind_) return;
    close_status();
    kill_sandbox();
}

void LiveRun::arm(std::chrono::milliseconds time) {
    due_ = clock_.steady() + time;
    deadline_.start(time);
}

// ---- running and after

void LiveRun::status_ready() {
    // Left there: should we be killed before it is saved, the next runner reads it.
    const Packet packet = receive_packet(status_.fd.get(), MSG_PEEK);
    if (packet.state == Packet::State::nothing_yet) return;
    if (const auto report = packet.as<ipc::EndReport>(ipc::Record::ended)) {
        take_report(*report);
        close_status();
        return drain();
    }
    counters_ = read_counters(cgroup_.get());
    decide(verdict_without_report(counters_, limits_, /*executed=*/true));
    kill();
}

void LiveRun::take_report(const ipc::EndReport& report) {
    report_ = report;
    reported_ = true;
    counters_ = read_counters(cgroup_.get());
    decide(verdict_of(report, counters_, limits_));
    step();  // also when the verdict was there before
}

void LiveRun::cancel() {
    const Verdict cancelled{EndKind::cancelled, 0, {}};
    switch (state_) {
        case State::building:
            launcher_.forget(build_id_);
            decide(cancelled);
            return finish();
        case State::executing: decide(cancelled); return kill();
        case State::running: return terminate(cancelled);
        case State::terminating:
        case State::killing:
        case State::draining:
        case State::ended: return;  // it is ending already, for the reason that came first
    }
}

void LiveRun::on_deadline() {
    const Verdict not_ready{
        EndKind::setup_failed, ETIMEDOUT,
        fmt::format("the sandbox was not ready within {} s", limits::kSetupTime.count())};
    switch (state_) {
        case State::building:
            launcher_.forget(build_id_);
            decide(not_ready);
            return finish();
        case State::executing: decide(not_ready); return kill();
        case State::running: return terminate({EndKind::timed_out, wall_time_.count(), {}});
        case State::terminating: return kill();
        case State::killing: return drain();  // stuck in the kernel; the launcher keeps its slot
        case State::draining:
            // While berthd takes nothing, the rest still waits in the pipes.
            if (paused_ || waiting_) return arm(limits::kDrainTime);
            out_->cut();
            err_->cut();
            return finish();
        case State::ended: return;
    }
}

void LiveRun::terminate(Verdict why) {
    state_ = State::terminating;
    ipc::SignalRequest request;
    request.header.record = ipc::Record::signal;
    request.signo = SIGTERM;
    const bool sent = send_record(status_.fd.get(), request) == 0;
    arm(limits::kTermGrace);
    decide(std::move(why));
    if (!sent) kill();
}

void LiveRun::kill() {
    read_output();  // to its end
    state_ = State::killing;
    plan_.clear();
    plan_socket_.close();
    close_status();
    kill_sandbox();
    arm(limits::kTermGrace);
    // Readable when pid 1 is dead, which is after all others in its namespace.
    pidfd_.watch(loop_, [this] { drain(); });
}

// pid 1 ends after all others in its namespace.
bool LiveRun::tree_is_empty() const {
    pollfd ended{pidfd_.fd.get(), POLLIN, 0};
    return pidfd_.fd && ::poll(&ended, 1, 0) == 1;
}

void LiveRun::tell_notes() {
    for (const std::string& note : notes_of(*verdict_, counters_, limits_))
        say(StreamKind::note, note + "\n");
}

void LiveRun::drain() {
    state_ = State::draining;
    arm(limits::kDrainTime);
    // Who stopped a run wants to know that nothing of it is left; others need not wait.
    if (was_stopped() && !tree_is_empty())
        pidfd_.watch(loop_, [this] {
            pidfd_.poll.reset();  // it stays readable
            drained_some();
        });
    else
        pidfd_.poll.reset();
    drained_some();
}

bool LiveRun::was_stopped() const {
    return verdict_->kind == EndKind::timed_out || verdict_->kind == EndKind::cancelled;
}

void LiveRun::drained_some() {
    const bool all = (!out_ || out_->ended()) && (!err_ || err_->ended());
    if (state_ != State::draining || !all) return;
    if (was_stopped() && pidfd_.fd && !tree_is_empty()) return;
    finish();
}

void LiveRun::finish() {
    BERTH_ASSERT(verdict_ && state_ != State::ended);
    plan_socket_.close();
    close_status();
    state_ = State::ended;
    deadline_.stop();
    if (counters_.memory_peak_bytes == 0) counters_ = read_counters(cgroup_.get());
    output_.finish();
    tell_notes();
    const LastLine::Line& state = output_.state();
    const bool good = verdict_->kind == EndKind::exited && verdict_->number == 0;
    if (good && state.bytes > limits::kStateBytes)
        verdict_ = Verdict{EndKind::state_too_large, static_cast<std::int64_t>(state.bytes), {}};

    ipc::Ended ended;
    ended.run_id = key_.run_id;
    ended.attempt = key_.attempt;
    ended.time_us = to_micros(clock_.now());
    ended.kind = verdict_->kind;
    ended.number = verdict_->number;
    ended.text = verdict_->text;
    ended.std_out = state.text;
    // Without pid 1's report the group knows.
    ended.user_us = report_.user_us != 0 ? report_.user_us : counters_.user_us;
    ended.system_us = report_.system_us != 0 ? report_.system_us : counters_.system_us;
    ended.memory_peak_bytes = counters_.memory_peak_bytes;
    ended.io_read_bytes = counters_.io_read_bytes;
    ended.io_write_bytes = counters_.io_write_bytes;
    ended.refused_syscalls = refused_names(report_);
    ended.tree_empty = tree_is_empty() || counters_.known_empty;
    ended.max_rss_bytes = report_.max_rss_bytes;
    ended.log_bytes = output_.printed_bytes();
    step(&ended);
    events_.on_ended(ended);
}

void LiveRun::decide(Verdict verdict) {
    if (verdict_) return;
    verdict_ = std::move(verdict);
    step();
}

// pid 1 waits for its end, and the service manager has copies of ours.
void LiveRun::close_status() noexcept {
    if (status_.fd) ::shutdown(status_.fd.get(), SHUT_RDWR);
    status_.close();
}

void LiveRun::kill_sandbox() {
    kill_all_in(cgroup_.get());
    if (pidfd_.fd && !tree_is_empty()) launcher_.kill(sandbox_);
}

// ---- back-pressure

void LiveRun::pause_output() {
    paused_ = true;
    if (out_) out_->pause();
    if (err_) err_->pause();
}

void LiveRun::resume_output() {
    paused_ = false;
    if (state_ != State::executing) read_output();
}

void LiveRun::read_output() {
    if (paused_ || waiting_) return;
    if (out_) out_->resume();
    if (err_) err_->resume();
}

}  // namespace berth::runner
