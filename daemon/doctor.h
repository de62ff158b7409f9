// What the running daemons have found of this host's protections, in words and
// with a cure for each that is missing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/api.h"
#include "daemon/doctor_facts.h"
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
    // Of berthd itself and the accounts of its host (doctor_facts.h).
    IdRange ids{};                     // of the daemons' and the sandboxes' users
    std::vector<std::string> taken{};  // who else has some of them
    std::uint64_t open_files = 0;      // that berthd may have; 0: not known
};
std::vector<DoctorCheck> check_daemons(const DaemonFacts& facts);
// What the world may reach. Without a public address that is nothing, and nothing is wrong.
enum class Served { no, yes };
DoctorCheck check_public(Served socket, const std::string& public_url);

// Why the launcher may be away, and what to do: the text that runs wait with.
std::string launcher_cure(bool require_cgroup);

}  // namespace berth
