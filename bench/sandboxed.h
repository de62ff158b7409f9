// The real berth-launcher as the benchmark starts it, and one program run in a
// sandbox of its own: request, plan, first byte, reported end.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/file.h"
#include "bench/bench.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth::bench {

struct Times {
    Steady::duration first_byte{};
    Steady::duration end{};
};

class Launcher {
public:
    // `program` is the file that lies in the release as /app/program. Throws when
    // sandboxes cannot be built here, saying why.
    Launcher(const std::string& launcher, const std::filesystem::path& program);
    ~Launcher();
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    // Cold: the sandbox is built now. `argv[0]` is an absolute path in it.
    Times run(const std::vector<std::string>& argv);
    std::uint32_t protections() const { return hello_.protections; }

private:
    TempDir folder_{"start-bench"};
    pid_t pid_ = -1;
    Fd socket_;
    ipc::Hello hello_;
};

// The same with nothing around it.
Times run_bare(const std::vector<std::string>& argv);

}  // namespace berth::bench
