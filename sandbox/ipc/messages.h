// The messages between berthd and berth-runner: the one schema of that socket.
// Nothing here returns a plaintext: berthd hands plaintext in to be sealed and
// gets envelopes; for a run it hands envelopes in and gets a started process.
//
//   runner → berthd   LiveRuns at once, then Hello; then answers and the events of live runs
//   berthd → runner   LoadKeys first; Adopt once, for LiveRuns; then any of the others
//
// What a run says (Started, Output, Connection, Ended) is kept by the runner until berthd
// has it on the disk and says so (Stored, Settled). A berthd that was started again is told
// all that is kept once more, in order, after its Adopt.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/ipc/key_messages.h"
#include "sandbox/ipc/message_types.h"

namespace berth::ipc {

inline constexpr std::uint32_t kRunnerProtocol = 4;

struct RunName {
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    template <class V>
    void fields(V& v) {
        v(run_id, attempt);
    }
};

// runner → berthd, the first message of a connection: the runs and the jobs it has, also
// those that have ended and are not settled. The ends of such jobs follow at once.
struct LiveRuns {
    static constexpr auto kType = MessageType::live_runs;
    std::vector<RunName> runs{};
    std::vector<std::uint64_t> jobs{};
    template <class V>
    void fields(V& v) {
        v(runs, jobs);
    }
};

// runner → berthd.
struct RunnerHello {
    static constexpr auto kType = MessageType::hello;
    std::uint32_t protocol = kRunnerProtocol;
    std::string root_key_id;  // 8 raw bytes; empty: there is no root key, `why` says what to do
    std::string why;
    bool secret_memory_locked = false;
    bool launcher_present = false;
    std::uint32_t protections = 0;  // launcher_protocol.h Protection
    std::uint32_t landlock_abi = 0;
    std::uint32_t slots = 0;
    std::uint32_t first_uid = 0;
    bool egress_present = false;  // berth-egress is connected
    // Root keys of before, which it can still open with: 8 raw bytes each.
    std::vector<std::string> previous_root_keys;
    template <class V>
    void fields(V& v) {
        v(protocol, root_key_id, why, secret_memory_locked, launcher_present, protections,
          landlock_abi, slots, first_uid, egress_present, previous_root_keys);
    }
};

struct RunFile {
    std::string name;  // below /work, no '..'
    std::string content;
    template <class V>
    void fields(V& v) {
        v(name, content);
    }
};

// berthd → runner: the answer to LiveRuns. Those that are not named are killed and
// forgotten: this is the fence against runs that berthd has given up.
struct Adopt {
    static constexpr auto kType = MessageType::adopt;
    std::vector<RunName> runs;
    template <class V>
    void fields(V& v) {
        v(runs);
    }
};

// berthd → runner: this much of the run is on the disk.
struct Stored {
    static constexpr auto kType = MessageType::stored;
    RunName run;
    std::uint64_t seq = 0;          // Outputs up to here
    std::uint64_t connections = 0;  // Connections up to this number
    template <class V>
    void fields(V& v) {
        v(run, seq, connections);
    }
};

// berthd → runner: the end of this attempt is on record.
struct Settled {
    static constexpr auto kType = MessageType::settled;
    RunName run;
    template <class V>
    void fields(V& v) {
        v(run);
    }
};

// berthd → runner. Answered by Started or Ended, both with this attempt.
struct Start {
    static constexpr auto kType = MessageType::start;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    std::vector<std::string> argv;
    std::vector<std::string> env;  // `NAME=value`, without the secrets
    std::vector<RunSecret> secrets;
    std::string working_folder;  // below /app
    std::vector<RunFile> files;
    std::string runtime;
    std::string release;        // content hash
    std::uint32_t network = 0;  // launcher_protocol.h Network
    // Names a run may reach with network egress, `*.` in front for all below; empty: any
    // public one. What the administrator allows beyond, berth-egress knows itself.
    std::vector<std::string> egress_names;
    std::uint32_t grants = 0;    // ipc::Grant bits
    std::string extra_syscalls;  // names of sets and folders on the launcher's
    std::string writable_path;   // command line, with the grants' bits
    std::uint64_t memory_bytes = 0;
    std::int64_t wall_time_s = 0;
    std::vector<Manifest> manifests;  // of the scopes of `secrets`
    template <class V>
    void fields(V& v) {
        v(run_id, attempt, argv, env, secrets, working_folder, files, runtime, release, network,
          egress_names, grants, extra_syscalls, writable_path, memory_bytes, wall_time_s,
          manifests);
    }
};

// The program has been executed.
struct Started {
    static constexpr auto kType = MessageType::started;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    std::int64_t time_us = 0;
    std::uint32_t protections = 0;
    bool warm = false;  // in a parked sandbox
    template <class V>
    void fields(V& v) {
        v(run_id, attempt, time_us, protections, warm);
    }
};

enum class StreamKind : std::uint32_t { out = 0, err = 1, note = 2 };

// What it printed, masked, in order.
struct Output {
    static constexpr auto kType = MessageType::output;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    std::uint64_t seq = 0;
    std::int64_t time_us = 0;
    StreamKind stream = StreamKind::err;
    std::string bytes;
    template <class V>
    void fields(V& v) {
        v(run_id, attempt, seq, time_us, stream, bytes);
    }
};

enum class EndKind : std::uint32_t {
    exited = 0,         // number: exit code
    signalled = 1,      // number: signal
    timed_out = 2,      // number: the limit in seconds
    out_of_memory = 3,  // number: the limit in bytes
    cancelled = 4,
    setup_failed = 5,     // text: the step; number: errno
    lost = 6,             // text: why
    state_too_large = 7,  // number: bytes
};

// Always the last message of a run; its Outputs have come before it.
struct Ended {
    static constexpr auto kType = MessageType::ended;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    std::int64_t time_us = 0;
    EndKind kind = EndKind::exited;
    std::int64_t number = 0;
    std::string text;
    std::string std_out;  // the last non-empty stdout line, masked
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    std::uint64_t max_rss_bytes = 0;      // of its largest process
    std::uint64_t memory_peak_bytes = 0;  // of all together; 0: no cgroup to ask
    std::uint64_t io_read_bytes = 0;      // likewise
    std::uint64_t io_write_bytes = 0;
    std::uint64_t log_bytes = 0;                // printed, also what was cut
    std::vector<std::string> refused_syscalls;  // the first different ones, by name
    bool tree_empty = false;  // the kernel confirmed that no process of it is left
    template <class V>
    void fields(V& v) {
        v(run_id, attempt, time_us, kind, number, text, std_out, user_us, system_us, max_rss_bytes,
          memory_peak_bytes, io_read_bytes, io_write_bytes, log_bytes, refused_syscalls,
          tree_empty);
    }
};

// A connection that a run made through berth-egress, or was refused; sent when it is
// over, always before the run's Ended.
struct Connection {
    static constexpr auto kType = MessageType::connection;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    std::uint64_t number = 0;  // the runner's: from 1, in the order of sending
    std::int64_t time_us = 0;  // when it was opened
    std::string name;          // as asked for; empty: the script used an address
    std::string address;       // that was connected to, or refused; empty: there was none
    std::uint32_t port = 0;
    std::uint64_t sent_bytes = 0;  // by the script
    std::uint64_t received_bytes = 0;
    std::string refused;  // why; empty: it was allowed
    template <class V>
    void fields(V& v) {
        v(run_id, attempt, number, time_us, name, address, port, sent_bytes, received_bytes,
          refused);
    }
};

// A field of a job's answer that the runner seals before anybody sees it.
struct JobSeal {
    std::string name;  // in the answer: `access_token`
    FieldRef where;
    WrappedKey data_key;
    template <class V>
    void fields(V& v) {
        v(name, where, data_key);
    }
};

// berthd → runner: a program of Berth's own (berth-oauth, berth-call) in a sandbox, with
// the secrets of one connection. Answered by JobEnded, which is kept until JobSettled.
// What it answers comes on its standard output as records (model/job_answer.h), the log on
// the other.
struct StartJob {
    static constexpr auto kType = MessageType::start_job;
    std::uint64_t job = 0;         // of the store's, never given out again
    std::string program;           // below /app
    std::string release;           // content hash of the folder that has it
    std::vector<std::string> env;  // `NAME=value`, without the secrets
    std::vector<RunSecret> secrets;
    std::vector<RunSecret> passing;  // of this job alone, on no list: a code and its verifier
    std::vector<RunFile> files;
    std::vector<JobSeal> seal;
    std::vector<std::string> egress_names;
    std::uint64_t memory_bytes = 0;
    std::int64_t wall_time_s = 0;
    std::vector<Manifest> manifests;  // of the scopes of `secrets`
    template <class V>
    void fields(V& v) {
        v(job, program, release, env, secrets, passing, files, seal, egress_names, memory_bytes,
          wall_time_s, manifests);
    }
};

struct JobField {
    std::string name;
    std::string value;  // as it was said, masked; or the envelope
    template <class V>
    void fields(V& v) {
        v(name, value);
    }
};

// It answered when it exited with 0 and `text` is empty; else there is no answer.
struct JobEnded {
    static constexpr auto kType = MessageType::job_ended;
    std::uint64_t job = 0;
    EndKind kind = EndKind::exited;
    std::int64_t number = 0;       // as in Ended
    std::string text;              // as in Ended; or why its answer could not be taken
    std::vector<JobField> answer;  // what it said openly
    std::vector<JobField> sealed;  // envelopes
    std::string log;               // masked, its last 64 KiB
    std::vector<Connection> connections;
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    template <class V>
    void fields(V& v) {
        v(job, kind, number, text, answer, sealed, log, connections, user_us, system_us);
    }
};

// berthd → runner: what the job answered is on the disk.
struct JobSettled {
    static constexpr auto kType = MessageType::job_settled;
    std::uint64_t job = 0;
    template <class V>
    void fields(V& v) {
        v(job);
    }
};

// How the warm pool does, at most once a second when something has changed.
struct Pool {
    static constexpr auto kType = MessageType::pool;
    std::uint32_t size = 0;    // wanted, per class
    std::uint32_t parked = 0;  // ready now, of all classes
    std::uint64_t hits = 0;    // since the runner's start, like all that follow
    std::uint64_t misses = 0;
    std::uint64_t built = 0;           // sandboxes parked
    std::uint64_t build_total_us = 0;  // what building those took together
    std::uint32_t complete = 0;        // of those not parked any more: each for one exact request
    std::uint64_t complete_hits = 0;   // of the hits: runs that found such a one
    template <class V>
    void fields(V& v) {
        v(size, parked, hits, misses, built, build_total_us, complete, complete_hits);
    }
};

struct Cancel {
    static constexpr auto kType = MessageType::cancel;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    template <class V>
    void fields(V& v) {
        v(run_id, attempt);
    }
};

}  // namespace berth::ipc
