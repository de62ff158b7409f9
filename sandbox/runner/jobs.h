// Jobs: programs of Berth's own (berth-oauth, berth-call) in sandboxes, each with the
// secrets of one connection. What one answers on its standard output is not told as it
// comes: at its end the secrets among it are sealed, the rest and the log are masked, and
// only that leaves this process. It is kept until berthd has it on its disk; not beyond this
// process, since the open answer must be nowhere but in its memory.
//
// To launcher and egress a job is a run with a negative number.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor_store.h"
#include "base/loop/loop.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/egress_client.h"
#include "sandbox/runner/keys.h"
#include "sandbox/runner/launcher_client.h"
#include "sandbox/runner/live_run.h"

namespace berth::runner {

// Thread: loop.
class Jobs {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        Keys& keys;
        LauncherClient& launcher;
        EgressClient& egress;
    };
    struct Events {
        std::function<void(const ipc::JobEnded&)> on_ended;
        std::function<void()> on_change;  // one less is live, or unsettled
    };
    Jobs(Parts parts, Events events);
    Jobs(const Jobs&) = delete;
    Jobs& operator=(const Jobs&) = delete;
    ~Jobs();

    // Always answered by on_ended, also when it cannot be started.
    void start(ipc::StartJob message);
    void refuse(std::uint64_t job, std::string why, int err = 0);
    void settled(std::uint64_t job);
    void kill_all();

    static bool is_job(const ipc::Connection& connection) { return connection.run_id < 0; }
    void connection(const ipc::Connection& connection);

    // Live ones and those that are not settled.
    std::vector<std::uint64_t> all() const;
    bool none_live() const { return live_.empty(); }
    bool none() const { return live_.empty() && ended_.empty(); }
    // For a berthd that has just come: the ends that are kept.
    const std::map<std::uint64_t, ipc::JobEnded>& ended() const { return ended_; }

private:
    struct Job;
    Result<RunOrder> prepare(const ipc::StartJob& message, Job& job);
    void output(std::uint64_t id, ipc::Output output);
    void run_ended(std::uint64_t id, const ipc::Ended& ended);
    void finish(std::uint64_t id, const ipc::Ended& ended);
    void tell(ipc::JobEnded ended);

    Parts parts_;
    Events events_;
    const DescriptorStore no_store_{};
    std::map<std::uint64_t, std::unique_ptr<Job>> live_;
    std::map<std::uint64_t, ipc::JobEnded> ended_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::runner
