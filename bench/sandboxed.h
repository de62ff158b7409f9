// The real berth-launcher as the benchmarks start it, and one program run in a
// sandbox of its own: request, plan, first byte, reported end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop/loop.h"
#include "bench/starts.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/launcher_client.h"

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

// An order for `argv`, as berthd gives it. Those of another `kind` need another sandbox: by
// a little memory.
ipc::Start start_message(const std::vector<std::string>& argv,
                         ipc::Network network = kParkedNetwork, std::uint64_t kind = 0);

// What a start finds. `complete`: a sandbox that was made ready for this very request.
// `parked`: one of its class, since each request is a new one. `none`: it is built.
enum class Found { complete, parked, none };

// The runner's side of it: its LauncherClient on its loop, and its order of steps.
class Launcher {
public:
    // Throws when sandboxes cannot be built here, saying why. `pool`: 0 when nothing is to be
    // found.
    Launcher(const std::string& launcher, const std::filesystem::path& program, Found found,
             unsigned pool);

    // Waits, uncounted, until there is what is to be found, and nothing is being built.
    // `argv[0]` is an absolute path in the sandbox.
    Times run(const std::vector<std::string>& argv, ipc::Network network = kParkedNetwork);
    void await_parked();

    pid_t pid() const { return process_.pid(); }
    std::uint64_t started() const { return started_; }
    std::chrono::microseconds end();

private:
    void turn_until(const char* what, const std::function<bool()>& there);
    void await_complete(const ipc::BuildRequest& request);
    runner::Sandbox sandbox_for(const ipc::BuildRequest& request);

    Loop loop_;
    SystemClock clock_;
    LauncherProcess process_;
    const Found found_;
    std::string trouble_;
    std::uint64_t started_ = 0;
    runner::LauncherClient client_;
};

}  // namespace berth::bench
