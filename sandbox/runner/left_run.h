// The descriptors of a live run in the service manager's store: under which name they are
// there, and which of them is which when they come back. All of a run have one name, so
// that they come and go together.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "sandbox/runner/run_key.h"
#include "sandbox/runner/saved_run.h"

namespace berth::runner {

inline constexpr const char* kStoredPrefix = "run-";
std::string stored_name(const RunKey& run);
// The other way round; nothing when it is no such name.
std::optional<RunKey> parse_stored_name(std::string_view name);

// Throws SystemError. Zero for -1.
FileId file_id(int fd);

// What the runner before this one left behind of a run.
struct LeftRun {
    RunKey key;
    SavedRun::Read read;
    Fd status;
    Fd pidfd;
    Fd out;
    Fd err;
    Fd cgroup;                  // may be empty
    std::vector<Fd> listeners;  // with network egress
};

// Nothing when it cannot go on with these: one is missing, or its state cannot be read.
std::optional<LeftRun> sort_left_run(RunKey key, std::vector<Fd> fds);

}  // namespace berth::runner
