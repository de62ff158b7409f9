// Jobs: programs of Berth's own (berth-oauth, berth-call), each in a sandbox with the
// secrets of one connection. What a job answers in secret comes back sealed; berthd never
// sees it open. Each is a row of `jobs`, kept with its log as long as runs are.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/api.h"
#include "model/values.h"
#include "sandbox/ipc/messages.h"
#include "store/keys.h"

namespace berth {

enum class JobProgram { oauth, call };

struct Job {
    JobProgram program = JobProgram::call;
    std::string
        purpose;        // `authorize`, `refresh`, `revoke`, `call`: on its record and in the audit
    std::string actor;  // `uid 0`, `berthd`
    ConnectionId connection;
    ConnectorId connector;  // of the connection: whoever is behind it may hang
    // NAME=value; never a secret.
    std::vector<std::string> env;
    // From connection_secrets() (store/connection_secrets.h), with the names they get.
    std::vector<ipc::RunSecret> secrets;
    std::vector<ipc::RunSecret> passing;  // of this job alone: a code and its verifier
    std::vector<ipc::RunFile> files;      // `request.body`
    std::vector<ipc::JobSeal> seal;       // fields of its answer that come back sealed
    std::vector<std::string> egress_names;
    std::chrono::seconds wall_time{30};
    // Part of the transaction that puts it on record, when its turn has come; may be empty. What
    // it refuses is not begun, and its refusal is the job's. Thread: store.
    std::function<Result<void>(Db&, Time)> begins;
};

struct JobAnswer {
    std::uint64_t job = 0;                      // to look it up by
    std::map<std::string, std::string> plain;   // what it said openly
    std::map<std::string, std::string> sealed;  // name → envelope
    std::string log;
};

// Thread: loop.
class Jobs {
public:
    virtual ~Jobs() = default;
    // It is on record before it starts; the use of its secrets connection_secrets() has
    // audited. Waits while there are too many (daemon/job_slots.h); `busy` when too many wait,
    // or as its begins() says; `over_limit` when too many wait for this provider alone.
    // `unavailable` when there is no runner, no sandbox, or it was killed: ours; `conflict` when
    // the connection to the runner broke while it ran: what it asked for may have happened, and its
    // answer may still come by on_left(). What the program itself makes of its partner's answer is
    // in JobAnswer.
    virtual void run(Job job, Done<JobAnswer> done) = 0;
    // The answer is on the disk; to be called after each run() that had one. Until then the
    // runner keeps it, also for a berthd after this one, which gets it by on_left().
    virtual void settled(std::uint64_t job) = 0;
    // Answers to jobs of a berthd before this one; by purpose.
    using Take = std::function<void(ConnectionId, JobAnswer)>;
    virtual void on_left(std::string purpose, Take take) = 0;
};

}  // namespace berth
