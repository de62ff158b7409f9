// One live run, from asking for its sandbox to its last message. A state machine
// on the loop:
//
//   building ─► executing ─► running ─► draining ─► ended
//                   │            ├─► terminating ─┤  (the script obeyed SIGTERM)
//                   └────────────┴────────┴─► killing ─► draining
//
// With a sandbox that stands it begins at `executing`, and goes back to `building` should
// that one have died, if it certainly executed nothing.
// A limit or a cancellation sends SIGTERM to all processes of the sandbox; after
// the grace the launcher kills all that is in it, and the status socket is shut down,
// which makes pid 1 exit and the kernel kill the rest, should there be no launcher.
// Output is read in every state in which there are pipes.
// From `running` on its state is saved after each step, before anybody hears of it, so that
// the next berth-runner goes on where this one ended.
//
// live_run_start.cpp has it until its program runs, live_run.cpp from there to its end,
// live_run_saved.cpp what outlives this process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor_store.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "base/loop/timer.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/launcher_client.h"
#include "sandbox/runner/left_run.h"
#include "sandbox/runner/output.h"
#include "sandbox/runner/output_pipe.h"
#include "sandbox/runner/plan.h"
#include "sandbox/runner/run_key.h"
#include "sandbox/runner/saved_run.h"
#include "sandbox/runner/verdict.h"

namespace berth::runner {

// All that a run is started from; the plaintext is in the plan and the masker only.
struct RunOrder {
    RunKey key;
    ipc::BuildRequest request;
    std::optional<LauncherClient::Taken> taken;  // one that stands, if there was one
    Plan plan;
    vault::Masker masker;
    std::chrono::seconds wall_time{};
    std::vector<ipc::RunSecret> secrets;  // sealed, for a runner after this one
    std::vector<std::string> egress_names;
};

// Thread: loop. The destructor kills what is left of the sandbox.
class LiveRun {
public:
    enum class State { building, executing, running, terminating, killing, draining, ended };

    // In this order: at most one Started; with it, and with network egress only, the
    // listeners; Outputs; exactly one Ended. The owner destroys the run after Ended, but not
    // from within it.
    struct Events {
        std::function<void(const ipc::Started&)> on_started;
        std::function<void(std::vector<Fd>)> on_listeners;
        std::function<void(ipc::Output)> on_output;
        std::function<void(const ipc::Ended&)> on_ended;
    };
    LiveRun(Loop& loop, const Clock& clock, LauncherClient& launcher, const DescriptorStore& store,
            RunOrder order, Events events);
    // It has said Started. Reads nothing until go_on(); its limits hold meanwhile.
    LiveRun(Loop& loop, const Clock& clock, LauncherClient& launcher, const DescriptorStore& store,
            LeftRun left, Events events);
    LiveRun(const LiveRun&) = delete;
    LiveRun& operator=(const LiveRun&) = delete;
    ~LiveRun();

    void cancel();
    // With the secrets opened again, after it was left by another runner.
    void go_on(vault::Masker masker);
    // This process ends: the destructor leaves it to the next one, if it is saved.
    void leave() noexcept { left_behind_ = saved_ != nullptr; }
    // What is saved of it; nothing when nothing is.
    const std::shared_ptr<SavedRun>& saved() const noexcept { return saved_; }
    // Back-pressure from berthd: the script blocks on its pipes meanwhile.
    void pause_output();
    void resume_output();
    State state() const noexcept { return state_; }

private:
    void build();
    void built(BuildResult result);
    void go_warm(LauncherClient::Taken taken);
    void taken(const ipc::Attached& answer);
    void go_cold();
    void adopt(Sandbox& sandbox);
    void send_plan();
    void watch_start();
    void not_started(const SystemError& error);
    void read_output();
    void make_pipes(std::array<Fd, 3>& for_script);
    void attach(std::optional<OutputPipe>& pipe, Fd end, ipc::StreamKind stream);
    void plan_ready();
    void died_before(const Packet& end);
    void started();
    void status_ready();
    void on_deadline();
    void terminate(Verdict why);
    void kill();
    void drain();
    void drained_some();
    void finish();
    void decide(Verdict verdict);  // the first one stands
    void take_report(const ipc::EndReport& report);
    bool tree_is_empty() const;
    bool was_stopped() const;
    void tell_notes();
    void kill_sandbox();
    void close_status() noexcept;
    void arm(std::chrono::milliseconds time);  // the deadline
    void say(ipc::StreamKind stream, std::string bytes);

    void save_listeners();
    void save_start(const ipc::Started& started);
    RunProgress progress() const;
    void step(const ipc::Ended* ended = nullptr);
    void not_saved(const SystemError& error);

    // A descriptor and its watcher, which must go first.
    struct Watched {
        Fd fd;
        std::optional<Poll> poll;
        void watch(Loop& loop, std::function<void()> on_ready);
        void close();
    };

    Loop& loop_;
    const Clock& clock_;
    LauncherClient& launcher_;
    const DescriptorStore& store_;
    RunKey key_;
    Plan plan_;
    std::chrono::seconds wall_time_;
    ipc::BuildRequest request_;
    ipc::SandboxLimits limits_;
    std::vector<ipc::RunSecret> secrets_;
    std::vector<std::string> egress_names_;
    Events events_;
    State state_ = State::building;
    std::uint64_t build_id_ = 0;
    SandboxName sandbox_;
    std::uint32_t protections_ = 0;
    bool warm_ = false;
    std::uint64_t next_seq_ = 1;
    bool paused_ = false;
    std::optional<Verdict> verdict_;
    bool reported_ = false;
    ipc::EndReport report_;
    CgroupCounters counters_;
    std::uint32_t restarts_ = 0;
    std::shared_ptr<SavedRun> saved_;
    bool left_behind_ = false;
    std::optional<RunOutput::Progress> waiting_;  // for go_on()
    std::vector<ipc::Output> said_;               // not saved yet, so not told yet
    RunOutput output_;
    Fd cgroup_;
    std::vector<Fd> listeners_;  // until it is certain that this sandbox is the run's
    Watched plan_socket_;
    Watched status_;
    Watched pidfd_;
    std::optional<OutputPipe> out_;
    std::optional<OutputPipe> err_;
    Timer deadline_;  // of the state: setup, wall time, grace, death, drain
    SteadyTime due_{};
};

}  // namespace berth::runner
