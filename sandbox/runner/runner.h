// berth-runner between its sockets: answers berthd's messages, keeps the table of live
// runs and what they said until berthd has it on its disk, asks the launcher. Parses
// nothing else from outside. berthd may go and come back: the runs go on. So may this
// process, when the service manager keeps descriptors for the next one: runner_left.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor_store.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/secret.h"
#include "sandbox/ipc/channel.h"
#include "sandbox/runner/egress_client.h"
#include "sandbox/runner/jobs.h"
#include "sandbox/runner/keys.h"
#include "sandbox/runner/launcher_client.h"
#include "sandbox/runner/live_run.h"
#include "sandbox/runner/outbox.h"
#include "sandbox/runner/saved_run.h"

namespace berth::runner {

// Thread: loop.
class Runner {
public:
    struct Events {
        // berthd has gone or broke a rule.
        std::function<void()> on_daemon_gone;
        // Live runs go on; new ones fail until there is a launcher again.
        std::function<void()> on_launcher_gone;
        // Runs that have network egress wait for it; new ones fail.
        std::function<void()> on_egress_gone;
    };
    // With a store, live runs outlive this process.
    Runner(Loop& loop, const Clock& clock, Keys keys, SecretMemory memory, Events events,
           DescriptorStore store = {});
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    ~Runner();

    // berthd gets LiveRuns at once, its Hello as soon as it is known whether there is a
    // launcher (within two seconds), and what live runs say when it has adopted them.
    void serve_daemon(Fd connected);
    void attach_launcher(Fd connected);
    void attach_egress(Fd connected);
    void kill_all();
    // The sources of the root keys were read again; berthd is told of what is new.
    void take_root_keys(Result<vault::RootKey> root_key, std::vector<vault::RootKey> previous);

    // What the runner before this one left in the store. Before anything else.
    void take_left(DescriptorStore::Kept left);
    // This process is to end: live runs stay for the next one, or end when there is no
    // store. `done` when those that are being set up are live too, or have taken too long.
    void leave(std::function<void()> done);
    // At once: whoever is destroyed after this kills no run that is saved.
    void leave_now() noexcept;

private:
    void receive(ipc::MessageType type, std::string_view payload);
    template <typename Message, typename Handler>
    bool take(std::string_view payload, Handler handle);
    bool receive_for_keys(ipc::MessageType type, std::string_view payload);
    void save_anchors_soon();
    void save_anchors();
    void say_hello();
    void start(ipc::Start message);
    Result<RunOrder> prepare(const ipc::Start& message, const ipc::BuildRequest& request);
    void refuse(const RunKey& key, const std::string& why, int err);
    LiveRun::Events run_events(RunKey key, std::vector<std::string> egress_names);
    void end(RunKey key, const ipc::Ended& ended);
    template <typename Message>
    void say(const Message& message) {
        if (outbox_.add(message) && daemon_ && offered_.empty()) daemon_->send(message);
    }
    void adopt(const ipc::Adopt& message);
    void drop(RunKey key);
    void pace_output();
    void take_left_run(RunKey key, std::vector<Fd> fds);
    void go_on();
    void leave_if_settled();
    void leave_in_time();
    bool all_run() const;
    void save(const ipc::Connection& connection);
    void trim_saved(RunKey key);
    void daemon_gone(const std::string& why);
    void launcher_gone(const std::string& why);
    void pool_changed();

    Loop& loop_;
    const Clock& clock_;
    Keys keys_;
    SecretMemory memory_;
    Events events_;
    LauncherClient launcher_;
    EgressClient egress_;
    Jobs jobs_;
    const DescriptorStore store_;
    std::map<RunKey, std::shared_ptr<SavedRun>> saved_;  // until they are settled
    // Of an earlier runner: they wait for berthd's word and for the keys.
    struct Left {
        std::vector<ipc::RunSecret> secrets;
        bool adopted = false;
    };
    std::map<RunKey, Left> left_;
    bool keys_loaded_ = false;
    using Runs = std::map<RunKey, std::unique_ptr<LiveRun>>;
    Runs runs_;
    std::vector<Runs::node_type> ended_;  // until the loop's next turn
    Outbox outbox_;
    bool held_back_ = false;
    std::unique_ptr<ipc::Channel> daemon_;
    std::vector<RunKey> offered_;  // to this berthd, in LiveRuns; until it has answered
    Timer hello_anyway_;           // a launcher that cannot start never says its own
    Timer tell_pool_;
    Timer save_anchors_;
    std::function<void()> leaving_;
    SteadyTime leave_by_{};
    SteadyTime jobs_leave_by_{};
    Timer leave_;
};

}  // namespace berth::runner
