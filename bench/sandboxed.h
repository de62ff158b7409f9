// The real berth-launcher as the benchmarks start it, and one program run in a
// sandbox of its own: request, plan, first byte, reported end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/file.h"
#include "bench/starts.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/record.h"

namespace berth::bench {

// The process, and our end of its socket. Ends with this object, and is waited for.
class LauncherProcess {
public:
    // `program` is the file that lies in the release as /app/program.
    LauncherProcess(const std::string& launcher, const std::filesystem::path& program,
                    unsigned pool);
    ~LauncherProcess();
    LauncherProcess(const LauncherProcess&) = delete;
    LauncherProcess& operator=(const LauncherProcess&) = delete;

    pid_t pid() const { return pid_; }
    const Fd& socket() const { return socket_; }
    Fd take_socket() { return std::move(socket_); }
    std::string errors() const;  // what it complained of

    // Ends it. The processor time of it and of all its sandboxes.
    std::chrono::microseconds end();

private:
    std::string errors_file() const;

    TempDir folder_{"start-bench"};
    pid_t pid_ = -1;
    Fd socket_;
};

// What is parked from the start.
inline constexpr auto kParkedNetwork = ipc::Network::egress;

// An order for `argv`, as berthd gives it.
ipc::Start start_message(const std::vector<std::string>& argv,
                         ipc::Network network = kParkedNetwork);

class Launcher {
public:
    // Throws when sandboxes cannot be built here, saying why.
    Launcher(const std::string& launcher, const std::filesystem::path& program, unsigned pool = 0);

    // Without a pool the sandbox is built now; with one this waits, uncounted, until one
    // is parked. `argv[0]` is an absolute path in it.
    Times run(const std::vector<std::string>& argv, ipc::Network network = kParkedNetwork);
    // Until the pool is full, so that no replacement is on its way while a start is timed.
    void await_parked();

    pid_t pid() const { return process_.pid(); }
    std::uint64_t started() const { return started_; }
    std::chrono::microseconds end();
    // What the last sandbox took from its clone until it was ready, as the launcher says.
    std::chrono::microseconds last_build() const { return last_build_; }

private:
    runner::Packet next_sandbox(std::uint64_t id);
    runner::Packet ask(const ipc::BuildRequest& request);

    LauncherProcess process_;
    ipc::Hello hello_;
    std::deque<runner::Packet> parked_;
    std::uint64_t next_id_ = 1;
    std::uint64_t started_ = 0;
    std::chrono::microseconds last_build_{};
};

}  // namespace berth::bench
