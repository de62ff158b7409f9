// Starts the real berth-launcher and plays the runner: asks for sandboxes, hands a
// plan to pid 2, reads what the script prints and what pid 1 reports.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/file.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth::sandbox_test {

// What one run gets. The probe lies in every release as /app/probe.
struct Run {
    std::vector<std::string> argv;
    std::vector<std::string> env;
    std::string folder = "/app";
    struct File {
        std::string name;
        std::string content;
    };
    std::vector<File> files;
};
Run probe(std::vector<std::string> arguments);

// Everything that came of a run.
struct Ended {
    std::optional<ipc::PlanFailed> failed;  // the script was not executed
    std::optional<ipc::EndReport> report;   // absent: pid 1 died without one
    std::string out;
    std::string err;
};

// One sandbox, as the runner holds it. Destroying it kills what runs in it.
class Sandbox {
public:
    Sandbox() = default;
    ipc::Ready reply;
    ipc::SandboxLimits limits;  // of the run, in its plan
    Fd plan;
    Fd status;
    Fd pidfd;
    Fd cgroup;
    std::vector<Fd> listeners;

    // Hands over the plan and waits until the script is executed, or is not.
    std::optional<ipc::PlanFailed> start(const Run& run);
    // Raw bytes as a plan that is too large for its packet, for hostile ones.
    std::optional<ipc::PlanFailed> start_with(const ipc::PlanHeader& packet,
                                              const std::string& memory, bool sealed = true);
    // A plan of one packet; looks for no answer.
    void hand_over(const Run& run);
    void signal(int signo);
    void end_input() { input_.reset(); }
    int output() const { return output_.get(); }
    // The next `bytes` of output, or what came before its end.
    std::string read_output(std::size_t bytes);
    // Waits for the end of output, report and pid 1.
    Ended finish();
    // Waits until pid 1 is gone.
    void await_death();

private:
    void send_plan(std::string packet, Fd memory);
    std::optional<ipc::PlanFailed> await_exec();
    Fd input_;
    Fd output_;
    Fd errors_;
    std::string out_;
};

// A launcher with a folder of releases of its own; ends with this object.
class Launcher {
public:
    enum class HostNetwork { allowed, refused };
    struct Options {
        unsigned slots = 8;
        uid_t first_uid = 0;           // 0: this process's own
        unsigned pool = 0;             // of each class; at most a quarter of the slots
        unsigned pool_age_s = 0;       // 0: as long as the test takes
        std::string cgroups = "none";  // as the launcher takes it
        bool require_cgroup = false;
        std::vector<std::string> more = {};  // words of the command line
        bool strict = false;
        bool listening = false;  // at socket_path(), instead of having one runner
        uid_t runner_uid = 0;
        HostNetwork host_network = HostNetwork::allowed;
    };
    Launcher();  // throws when it does not start
    explicit Launcher(const Options& options);
    ~Launcher();
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    ipc::BuildRequest request() const;  // with sensible limits, for the release `probe`
    Sandbox build(const ipc::BuildRequest& request);
    Sandbox build() { return build(request()); }
    // The same in two halves.
    std::uint64_t ask(const ipc::BuildRequest& request);
    Sandbox await_answer(std::uint64_t id);
    // The next parked sandbox that the launcher hands over unasked.
    Sandbox await_parked();
    // Asks for its release; the launcher's answer is await_attached().
    void take(const Sandbox& parked, const ipc::Assignment& assignment);
    // Has the launcher end it, by its slot and `serial`.
    void kill_sandbox(const Sandbox& sandbox, std::uint64_t serial);
    void kill_sandbox(const Sandbox& sandbox) { kill_sandbox(sandbox, sandbox.reply.serial); }
    // The next record of another sort from the launcher.
    ipc::Attached await_attached();
    ipc::Retire await_retire();
    // The whole life of one run.
    Ended run(const Run& run) { return run_with(request(), run); }
    Ended run_with(const ipc::BuildRequest& request, const Run& run);
    // What the probe printed; the run must have ended with 0.
    std::string said(std::vector<std::string> arguments);

    std::string release_path(const std::string& name) const;
    std::string folder() const { return folder_.path().string(); }
    std::string socket_path() const { return folder() + "/launcher.sock"; }
    pid_t pid() const { return pid_; }
    uid_t first_uid() const { return first_uid_; }
    int socket() const { return socket_.get(); }
    void connect();  // to one that is listening
    // Records that have come and were not asked for yet.
    std::size_t unread();
    void close_socket() { socket_.reset(); }
    void kill();       // and waits until it is gone
    int await_exit();  // its exit status
    ipc::Hello hello;

private:
    struct Packet {
        std::string bytes;
        std::vector<Fd> descriptors;
    };
    Packet next(const std::function<bool(const std::string&)>& fits);
    Sandbox await_ready(std::uint64_t id, const ipc::SandboxLimits& limits);

    TempDir folder_;
    uid_t first_uid_ = 0;
    pid_t pid_ = -1;
    Fd socket_;
    std::uint64_t next_id_ = 1;
    std::deque<Packet> inbox_;
};

// Connects to a launcher that listens.
Fd connect_to(const std::string& path);
// Waits for what comes; true when it is the end.
bool hung_up(int socket);
// Waits for a record; what came instead of one fails the test.
ipc::Hello await_hello(int socket);

// Processes of the host with this real uid.
std::vector<pid_t> processes_of(uid_t uid);

// Empty when sandboxes can be built here, else why not.
std::string no_sandbox_because();

}  // namespace berth::sandbox_test

// Skips a test with its reason, and fails it where CI demands a sandbox.
#define BERTH_NEEDS_SANDBOX()                                                                \
    if (const std::string why = ::berth::sandbox_test::no_sandbox_because(); !why.empty()) { \
        const char* required = ::getenv("BERTH_REQUIRE_SANDBOX");                            \
        if (required != nullptr && *required == '1') FAIL("no sandbox: " << why);            \
        WARN("skipped: " << why);                                                            \
        return;                                                                              \
    }
