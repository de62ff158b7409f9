#include "sandbox/runner/live_run.h"

#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <utility>

#include "base/error.h"
#include "base/overloaded.h"
#include "base/pipe.h"
#include "model/limits.h"
#include "sandbox/runner/cgroup_events.h"

namespace berth::runner {
namespace {

using ipc::EndKind;
using ipc::StreamKind;

std::chrono::milliseconds ms(auto duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

}  // namespace

void LiveRun::Watched::watch(Loop& loop, std::function<void()> on_ready) {
    poll.emplace(loop, fd.get(), [ready = std::move(on_ready)](int) { ready(); });
    poll->want(Poll::readable);
}

void LiveRun::Watched::close() {
    poll.reset();
    fd.reset();
}

LiveRun::LiveRun(Loop& loop, const Clock& clock, LauncherClient& launcher, RunOrder order,
                 Events events)
    : loop_{loop},
      clock_{clock},
      launcher_{launcher},
      key_{order.key},
      plan_{std::move(order.plan)},
      wall_time_{order.wall_time},
      request_{order.request},
      limits_{order.request.assignment.limits},
      events_{std::move(events)},
      output_{std::move(order.masker),
              {limits::kLogBytes, limits::kStateBytes},
              [this](StreamKind stream, std::string bytes) {
                  events_.on_output({key_.run_id, key_.attempt, next_seq_++,
                                     to_micros(clock_.now()), stream, std::move(bytes)});
              }},
      deadline_{loop, [this] { on_deadline(); }} {
    deadline_.start(ms(limits::kSetupTime));
    if (order.taken)
        go_warm(std::move(*order.taken));
    else
        build();
}

LiveRun::~LiveRun() {
    launcher_.forget(build_id_);
    if (state_ != State::ended) kill_sandbox();
}

// ---- building, executing

void LiveRun::build() {
    state_ = State::building;
    build_id_ = launcher_.build(request_, [this](BuildResult result) { built(std::move(result)); });
}

void LiveRun::built(BuildResult result) {
    if (auto* failed = std::get_if<BuildFailed>(&result)) {
        decide({EndKind::setup_failed, failed->err, std::move(failed->text)});
        return finish();
    }
    adopt(std::get<Sandbox>(result));
    try {
        send_plan();
    } catch (const SystemError& error) {
        return not_started(error);
    }
    watch_start();
}

// The launcher mounts the release while pid 2 reads the plan.
void LiveRun::go_warm(LauncherClient::Taken taken) {
    build_id_ = taken.id;
    launcher_.when_answered(build_id_, [this](ipc::Attached answer) { this->taken(answer); });
    warm_ = true;
    adopt(taken.sandbox);
    try {
        send_plan();
    } catch (const SystemError&) {  // it has died; should it be something else, that is met again
        launcher_.forget(build_id_);
        go_cold();
    }
}

// Until now nobody has looked at the sandbox's sockets: only with this answer it is clear
// what their ends mean.
void LiveRun::taken(const ipc::Attached& answer) {
    if (state_ != State::executing) return;
    if (answer.step == ipc::Step::none) return watch_start();
    if (answer.step == ipc::Step::slot) return go_cold();
    decide({EndKind::setup_failed, answer.err, ipc::step_text(answer.step)});
    kill();
}

// Nothing was executed in the parked one.
void LiveRun::go_cold() {
    plan_socket_.close();
    status_.close();
    pidfd_.close();
    cgroup_.reset();
    listeners_.clear();
    out_.reset();
    err_.reset();
    warm_ = false;
    build();
}

void LiveRun::adopt(Sandbox& sandbox) {
    sandbox_ = sandbox.name;
    protections_ = sandbox.protections;
    cgroup_ = std::move(sandbox.cgroup);
    plan_socket_.fd = std::move(sandbox.plan);
    status_.fd = std::move(sandbox.status);
    pidfd_.fd = std::move(sandbox.pidfd);
    listeners_ = std::move(sandbox.listeners);
    state_ = State::executing;
}

void LiveRun::send_plan() {
    std::array<Fd, 3> streams;
    make_pipes(streams);
    const std::array<int, 4> fds{plan_.memfd.get(), streams[0].get(), streams[1].get(),
                                 streams[2].get()};
    if (const int err = send_record(plan_socket_.fd.get(), plan_.header, fds); err != 0)
        throw SystemError{err, "sending the plan to the sandbox"};
}

void LiveRun::watch_start() {
    plan_.memfd.reset();  // the plaintext is now pid 2's alone
    try {                 // it takes descriptors
        if (!listeners_.empty()) events_.on_listeners(std::move(listeners_));
        plan_socket_.watch(loop_, [this] { plan_ready(); });
        status_.watch(loop_, [this] { status_ready(); });
    } catch (const SystemError& error) {
        not_started(error);
    }
}

void LiveRun::not_started(const SystemError& error) {
    decide({EndKind::setup_failed, error.err(), error.what()});
    kill();
}

void LiveRun::make_pipes(std::array<Fd, 3>& for_script) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    in.write.reset();  // stdin is at its end from the start
    // The script has another uid, and opens /dev/stderr by /proc/self/fd/2: with a
    // pipe's own mode 0600 that would be refused. Nobody else can reach them.
    check(::fchmod(in.read.get(), 0666), "opening stdin to the script's user");
    check(::fchmod(out.write.get(), 0666), "opening stdout to the script's user");
    check(::fchmod(err.write.get(), 0666), "opening stderr to the script's user");

    const auto attach = [this](std::optional<OutputPipe>& pipe, Fd end, StreamKind stream) {
        pipe.emplace(
            loop_, std::move(end),
            OutputPipe::Events{[this, stream](std::string_view raw) { output_.add(stream, raw); },
                               [this] { drained_some(); }});
        pipe->pause();  // until it is known that the program runs: Started comes first
    };
    attach(out_, std::move(out.read), StreamKind::out);
    attach(err_, std::move(err.read), StreamKind::err);
    for_script = {std::move(in.read), std::move(out.write), std::move(err.write)};
}

void LiveRun::plan_ready() {
    const Packet packet = receive_packet(plan_socket_.fd.get());
    if (packet.state == Packet::State::nothing_yet) return;
    if (packet.state == Packet::State::closed) {  // by close-on-exec: the program runs
        plan_socket_.close();
        state_ = State::running;
        deadline_.start(ms(wall_time_));
        read_output();
        return events_.on_started(
            {key_.run_id, key_.attempt, to_micros(clock_.now()), protections_, warm_});
    }
    if (const auto failed = packet.as<ipc::PlanFailed>(ipc::Record::plan_failed))
        decide({EndKind::setup_failed, failed->err, ipc::step_text(failed->step)});
    else
        decide({EndKind::setup_failed, packet.err, "the sandbox died before it took the plan"});
    kill();
}

// ---- running and after

void LiveRun::status_ready() {
    // Both sockets may be ready in one turn; what happened first is said first.
    if (state_ == State::executing) plan_ready();
    if (!status_.fd) return;
    const Packet packet = receive_packet(status_.fd.get());
    if (packet.state == Packet::State::nothing_yet) return;
    if (const auto report = packet.as<ipc::EndReport>(ipc::Record::ended)) {
        take_report(*report);
        status_.close();
        return drain();
    }
    counters_ = read_counters(cgroup_.get());
    decide(verdict_without_report(counters_, limits_, state_ != State::executing));
    kill();
}

void LiveRun::take_report(const ipc::EndReport& report) {
    report_ = report;
    counters_ = read_counters(cgroup_.get());
    decide(verdict_of(report, counters_, limits_));
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
            if (paused_) return deadline_.start(ms(limits::kDrainTime));
            out_->cut();
            err_->cut();
            return finish();
        case State::ended: return;
    }
}

void LiveRun::terminate(Verdict why) {
    decide(std::move(why));
    state_ = State::terminating;
    ipc::SignalRequest request;
    request.header.record = ipc::Record::signal;
    request.signo = SIGTERM;
    if (send_record(status_.fd.get(), request) != 0) return kill();
    deadline_.start(ms(limits::kTermGrace));
}

void LiveRun::kill() {
    read_output();  // to its end
    state_ = State::killing;
    plan_socket_.close();
    status_.close();
    kill_sandbox();
    deadline_.start(ms(limits::kTermGrace));
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
        events_.on_output({key_.run_id, key_.attempt, next_seq_++, to_micros(clock_.now()),
                           StreamKind::note, note + "\n"});
}

void LiveRun::drain() {
    state_ = State::draining;
    deadline_.start(ms(limits::kDrainTime));
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
    status_.close();
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
    events_.on_ended(ended);
}

void LiveRun::decide(Verdict verdict) {
    if (!verdict_) verdict_ = std::move(verdict);
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
    if (paused_) return;
    if (out_) out_->resume();
    if (err_) err_->resume();
}

}  // namespace berth::runner
