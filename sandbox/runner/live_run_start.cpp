// The beginning of a LiveRun: its sandbox, its plan, its pipes, until its program runs.
#include <sys/stat.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "base/pipe.h"
#include "sandbox/runner/cgroup_events.h"
#include "sandbox/runner/live_run.h"

namespace berth::runner {

using ipc::EndKind;
using ipc::StreamKind;

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

// In a parked one the launcher mounts the release while pid 2 reads the plan; a complete one
// has it already.
void LiveRun::go_warm(LauncherClient::Taken taken) {
    build_id_ = taken.id;
    const bool complete = build_id_ == 0;
    if (!complete)
        launcher_.when_answered(build_id_, [this](ipc::Attached answer) { this->taken(answer); });
    warm_ = true;
    adopt(taken.sandbox);
    try {
        send_plan();
    } catch (const SystemError&) {  // it has died; should it be something else, that is met again
        launcher_.forget(build_id_);
        return go_cold();
    }
    if (complete) watch_start();
}

// Until now nobody has looked at the sandbox's sockets: without its release it may end for a
// reason that only this answer tells.
void LiveRun::taken(const ipc::Attached& answer) {
    if (state_ != State::executing) return;
    if (answer.step == ipc::Step::none) return watch_start();
    if (answer.step == ipc::Step::slot) return go_cold();
    decide({EndKind::setup_failed, answer.err, ipc::step_text(answer.step)});
    kill();
}

// Nothing was executed in the one that stood.
void LiveRun::go_cold() {
    plan_socket_.close();
    close_status();
    pidfd_.close();
    cgroup_.reset();
    listeners_.clear();
    out_.reset();
    err_.reset();
    counters_ = {};
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
    if (const int err = runner::send_plan(plan_socket_.fd.get(), plan_,
                                          {streams[0].get(), streams[1].get(), streams[2].get()});
        err != 0)
        throw SystemError{err, "sending the plan to the sandbox"};
}

// pid 1's socket is looked at later: until the program runs, pid 2's says all.
void LiveRun::watch_start() {
    try {  // it takes descriptors
        plan_socket_.watch(loop_, [this] { plan_ready(); });
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

    attach(out_, std::move(out.read), StreamKind::out);
    attach(err_, std::move(err.read), StreamKind::err);
    for_script = {std::move(in.read), std::move(out.write), std::move(err.write)};
}

void LiveRun::attach(std::optional<OutputPipe>& pipe, Fd end, StreamKind stream) {
    pipe.emplace(loop_, std::move(end),
                 OutputPipe::Events{[this, stream](std::string_view raw) {
                                        output_.add(stream, raw);
                                        step();
                                    },
                                    [this] { drained_some(); }});
    pipe->pause();  // until it is known that the program runs: Started comes first
}

void LiveRun::plan_ready() {
    const Packet packet = receive_packet(plan_socket_.fd.get());
    if (packet.state == Packet::State::nothing_yet) return;
    if (packet.state == Packet::State::closed) return started();
    if (packet.state == Packet::State::broken) return died_before(packet);
    if (const auto failed = packet.as<ipc::PlanFailed>(ipc::Record::plan_failed))
        decide({EndKind::setup_failed, failed->err, ipc::step_text(failed->step)});
    else
        decide({EndKind::setup_failed, EPROTO, "the sandbox sent what is no answer to a plan"});
    kill();
}

// It has not come to execve(2): what it was sent is unread. So another one may have the plan,
// unless it was the plan's files that were too much for it.
void LiveRun::died_before(const Packet& end) {
    counters_ = read_counters(cgroup_.get());
    if (warm_ && end.err == ECONNRESET && counters_.oom_kills == 0) return go_cold();
    decide(verdict_without_report(counters_, limits_, /*executed=*/false));
    kill();
}

// The socket ended by close-on-exec.
void LiveRun::started() {
    plan_socket_.close();
    plan_.clear();  // the plaintext is now the program's alone
    state_ = State::running;
    arm(wall_time_);
    const ipc::Started started{key_.run_id, key_.attempt, to_micros(clock_.now()), protections_,
                               warm_};
    save_listeners();
    save_start(started);
    read_output();
    events_.on_started(started);
    try {  // it takes descriptors; connections that are made already wait in the listeners
        status_.watch(loop_, [this] { status_ready(); });
        if (!listeners_.empty()) events_.on_listeners(std::move(listeners_));
    } catch (const SystemError& error) {
        decide({EndKind::lost, error.err(), error.what()});
        kill();
    }
}

}  // namespace berth::runner
