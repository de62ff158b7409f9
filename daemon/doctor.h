// What the running daemons have found of this host's protections, in words and
// with a cure for each that is missing. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/api.h"
#include "sandbox/ipc/messages.h"

namespace berth {

struct DaemonFacts {
    std::optional<ipc::RunnerHello> hello;  // nothing: the runner is not there
    std::optional<ipc::Pool> pool;
    // As they are configured.
    bool require_cgroup = false;
    bool strict_sandbox = false;
    // Of the store.
    bool disk_full = false;
    std::vector<std::string> damage{};  // what was found, in words
};
std::vector<DoctorCheck> check_daemons(const DaemonFacts& facts);

}  // namespace berth
