// What berth-runner and berth-launcher say to each other, and what the launcher's
// children (pid 1 and pid 2 of a sandbox) say to the runner. Fixed-size records on
// SOCK_SEQPACKET sockets, one record a packet, so that the process with the
// kernel's capabilities parses nothing. Includes nothing of the product.
//
//   launcher → runner   Hello; then Ready for each sandbox that was parked for it
//   runner → launcher   Build: one from nothing; or Take: a parked one gets its release
//   launcher → runner   Ready in answer to Build, Attached in answer to each Take
//   launcher → runner   Retire: let go of a parked sandbox, unless it was just taken
//   runner → launcher   Kill: end all of a sandbox, whatever its pid 1 does
//   launcher → pid 2    Attached: the release is mounted, or the step that failed
//   runner → pid 2      the plan, with the descriptors {stdin, stdout, stderr}; or, when it is
//                       too large for a packet, its header and a fourth: memory with the plan
//   pid 2 → runner      PlanFailed, or the end of the socket: it was executed
//   runner → pid 1      SignalRequest; closing the socket kills the sandbox
//   pid 1 → runner      EndReport, then the end of the socket
//
// A run that finds a parked sandbox sends Take and the plan at the same moment: the
// launcher mounts while pid 2 reads, and pid 2 executes when it has heard both. A Take may
// also go ahead of any run; to the launcher that is the same. What pid 2 was sent stays
// unread in its socket until the moment before execve(2): if that is how the socket ends
// (ECONNRESET at the runner), nothing was executed for certain.
#pragma once

#include <cstdint>

namespace berth::ipc {

inline constexpr std::uint32_t kMagic = 0x31545242;  // "BRT1"
inline constexpr std::uint16_t kVersion = 3;

enum class Record : std::uint16_t {
    hello = 1,
    build = 2,
    ready = 3,
    plan = 4,
    plan_failed = 5,
    signal = 6,
    ended = 7,
    take = 8,
    attached = 9,
    retire = 10,
    kill = 11,
};

struct RecordHeader {
    std::uint32_t magic = kMagic;
    std::uint16_t version = kVersion;
    Record record{};
};

// Weakenings of the sandbox, as bits; by the same words in the configuration
// (daemon/grants.h), on the launcher's command line and on a run's record.
enum Grant : std::uint32_t {
    grant_host_network = 1U << 0,
    grant_writable_path = 1U << 1,
    grant_extra_syscalls = 1U << 2,
};

// Protections that are active, as the launcher found them at its start and as a
// sandbox was built with them (`berth doctor`, the run's record).
enum Protection : std::uint32_t {
    protection_namespaces = 1U << 0,      // mount, pid, net, ipc, uts, cgroup
    protection_user_namespace = 1U << 1,  // entered last, uid pair of its own
    protection_seccomp = 1U << 2,
    protection_landlock = 1U << 3,
    protection_cgroup_v2 = 1U << 4,
    protection_cgroup_memory = 1U << 5,
    protection_cgroup_pids = 1U << 6,
    protection_cgroup_cpu = 1U << 7,
    protection_rlimits = 1U << 8,
    protection_no_new_privs = 1U << 9,
    protection_read_only_root = 1U << 10,
    protection_cgroup_v1 = 1U << 11,
    protection_cgroup_io = 1U << 12,
    protection_strict = 1U << 13,  // the strict profile: docs/decisions
};

// launcher → runner, once, when the runner has connected.
struct Hello {
    RecordHeader header{kMagic, kVersion, Record::hello};
    std::uint32_t protections = 0;
    std::uint32_t landlock_abi = 0;  // 0: the kernel has none
    std::uint32_t slots = 0;         // sandboxes that may exist at once
    std::uint32_t first_uid = 0;     // the reserved range is [first_uid, first_uid + 2 * slots)
    std::uint32_t pool_size = 0;     // parked sandboxes it keeps per class; 0: always cold
};

struct SandboxLimits {
    std::uint64_t memory_bytes = 0;
    std::uint64_t scratch_bytes = 0;
    std::uint64_t scratch_inodes = 0;
    std::uint64_t processes = 0;
    std::uint64_t open_files = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t cpu_percent = 0;          // of one core; 0: no limit. Needs a cgroup
    std::uint64_t io_bytes_per_second = 0;  // each way; 0: no limit. Needs cgroup v2
};

enum class Network : std::uint32_t { none = 0, host = 1, egress = 2 };

// What must be right from the start: a parked sandbox serves any run of its class.
struct Class {
    Network network = Network::none;
    std::uint32_t grants = 0;
    char runtime[64] = {};   // `host`
    char syscalls[32] = {};  // with grant_extra_syscalls: the set of that name on the
                             // launcher's command line
};

// What a sandbox gets when a run takes it. The names are a single path component
// without '/', '.' or '..' alone, ended by a zero; they are looked up beneath the
// launcher's configured folders, or in its command line.
struct Assignment {
    SandboxLimits limits;
    char release[128] = {};  // content hash: the folder below releases/, seen at /app
    char writable[32] = {};  // with grant_writable_path: the folder of that name on the
                             // launcher's command line, seen at /data
};

struct BuildRequest {
    RecordHeader header{kMagic, kVersion, Record::build};
    std::uint64_t id = 0;  // the runner's, repeated in the reply; never 0
    Class kind;
    Assignment assignment;
};

// A sandbox is named by slot and serial, so that one that has died in the meantime is
// not mistaken for its successor. The runner does not wait for the answer: it only
// needs it when something went wrong.
struct TakeRequest {
    RecordHeader header{kMagic, kVersion, Record::take};
    std::uint32_t slot = 0;
    std::uint32_t reserved = 0;
    std::uint64_t serial = 0;
    Assignment assignment;
};

// Where a build failed; its text is in step_text().
enum class Step : std::uint32_t {
    none = 0,
    request,
    slot,
    cgroup,
    sockets,
    clone,
    parent_death,
    close_descriptors,
    private_mounts,
    root,
    runtime,
    release,
    writable,
    proc,
    dev,
    scratch,
    pivot,
    network,
    hostname,
    user_namespace,
    id_maps,
    identity,
    fork,
    session,
    capabilities,
    securebits,
    rlimits,
    no_new_privs,
    landlock,
    seccomp,
    ready,
    plan,
    plan_files,
    standard_streams,
    working_folder,
    exec,
};
const char* step_text(Step step) noexcept;

// Sent when pid 2 is ready for its plan, with descriptors in this order: plan
// socket, status socket, pidfd of pid 1, the cgroup's directory if there is one
// (has_cgroup), and with Network::egress the listening sockets opened inside
// (`listeners` of them; getsockname(2) tells which is which).
struct Ready {
    RecordHeader header{kMagic, kVersion, Record::ready};
    std::uint64_t id = 0;    // of the BuildRequest; 0: it was parked
    Step step = Step::none;  // none: it stands. A failed parking is not reported
    std::int32_t err = 0;
    Class kind;
    std::uint32_t slot = 0;
    std::uint32_t has_cgroup = 0;
    std::uint32_t listeners = 0;
    std::uint32_t protections = 0;  // what this sandbox was built with
    std::uint64_t serial = 0;       // with `slot` its name; never used again since the host's boot
    std::uint32_t uid = 0;          // of the script, on the host
    std::uint32_t build_us = 0;     // from the clone until it was ready
};

// To pid 2, and to the runner in the order of its Takes. Step::slot: there is no such
// parked sandbox any more, nothing was executed, and the run may have another one.
struct Attached {
    RecordHeader header{kMagic, kVersion, Record::attached};
    Step step = Step::none;
    std::int32_t err = 0;
};

// The runner closes what it holds of it. One it has taken meanwhile stays with its run.
// Or, with a serial of 0: it closes so many of those it took ahead of any run.
struct Retire {
    RecordHeader header{kMagic, kVersion, Record::retire};
    std::uint32_t slot = 0;
    std::uint32_t complete = 0;
    std::uint64_t serial = 0;
};

// Without an answer: the sandbox's pidfd tells. One that has ended, or is not known by
// this name, is no mistake; one of an earlier launcher is found by its slot's uids.
struct KillRequest {
    RecordHeader header{kMagic, kVersion, Record::kill};
    std::uint32_t slot = 0;
    std::uint32_t reserved = 0;
    std::uint64_t serial = 0;
};

// Up to here a plan is the packet. A larger one lies in a memfd sealed against writing,
// growing and shrinking, and the packet is a copy of its header: memory of its own would
// cost each start about a tenth.
inline constexpr std::uint64_t kPlanPacketBytes = 16 * 1024;

// A plan is this header, then `argc` + `envc` + 1 (working folder) zero-ended strings in
// that order, then `filec` files, each a PlanFile (unaligned) followed by `name_bytes` of
// a zero-ended path below /work and `content_bytes` of content. argv[0] and the working
// folder are absolute. The pipes for stdin, stdout and stderr should have mode 0666
// (fchmod): a script that opens /dev/stdout or /dev/stderr opens the pipe's inode anew, as
// a user who does not own it.
struct PlanHeader {
    RecordHeader header{kMagic, kVersion, Record::plan};
    std::uint64_t bytes = 0;  // of the whole plan
    std::uint32_t argc = 0;
    std::uint32_t envc = 0;
    std::uint32_t filec = 0;
    std::uint32_t strings_bytes = 0;  // of all strings together, zeros included
    SandboxLimits limits;             // for the rlimits, which pid 2 can only lower
};

struct PlanFile {
    std::uint32_t name_bytes = 0;  // with the ending zero
    std::uint32_t mode = 0;
    std::uint64_t content_bytes = 0;
};

struct PlanFailed {
    RecordHeader header{kMagic, kVersion, Record::plan_failed};
    Step step = Step::none;
    std::int32_t err = 0;
};

// Sends `signo` to every process of the sandbox but pid 1.
struct SignalRequest {
    RecordHeader header{kMagic, kVersion, Record::signal};
    std::int32_t signo = 0;
};

struct EndReport {
    RecordHeader header{kMagic, kVersion, Record::ended};
    std::int32_t wait_status = 0;  // as waitpid(2) gives it, of the script
    std::uint32_t reserved = 0;
    std::int64_t user_us = 0;  // of the script and all it waited for
    std::int64_t system_us = 0;
    std::uint64_t max_rss_bytes = 0;
    // The first different system calls that the filter refused, by number.
    std::uint32_t refused_count = 0;
    std::uint16_t refused[14] = {};
};

}  // namespace berth::ipc
