// The real berth-launcher as the benchmark starts it, and one program run in a
// sandbox of its own: request, plan, first byte, reported end.
#pragma once

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/file.h"
#include "bench/bench.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/runner/record.h"

namespace berth::bench {

struct Times {
    Steady::duration first_byte{};
    Steady::duration end{};
};

// What is parked from the start.
inline constexpr auto kParkedNetwork = ipc::Network::egress;

class Launcher {
public:
    // `program` is the file that lies in the release as /app/program. Throws when
    // sandboxes cannot be built here, saying why.
    Launcher(const std::string& launcher, const std::filesystem::path& program, unsigned pool = 0);
    ~Launcher();
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    // Without a pool the sandbox is built now; with one this waits, uncounted, until one
    // is parked. `argv[0]` is an absolute path in it.
    Times run(const std::vector<std::string>& argv, ipc::Network network = kParkedNetwork);
    std::uint32_t protections() const { return hello_.protections; }

private:
    runner::Packet next_sandbox(std::uint64_t id);
    void await_parked();
    runner::Packet ask(const ipc::BuildRequest& request);

    TempDir folder_{"start-bench"};
    pid_t pid_ = -1;
    Fd socket_;
    ipc::Hello hello_;
    std::deque<runner::Packet> parked_;
    std::uint64_t next_id_ = 1;
};

// The same with nothing around it.
Times run_bare(const std::vector<std::string>& argv);

}  // namespace berth::bench
