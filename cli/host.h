// `berth init`, `berth doctor`, `berth health`, `berth version`: the host itself.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "cli/session.h"

namespace berth {

struct InitOptions {
    std::filesystem::path state_dir = "/var/lib/berth";
    std::filesystem::path config = "/etc/berth/berth.conf";
    std::filesystem::path run_dir = "/run/berth";
    std::optional<uid_t> daemon_uid;  // else user `berth`, else unchanged
    std::optional<uid_t> runner_uid;  // else user `berth-runner`
};

// Makes the state directory, the root key and the configuration. Refuses, before
// anything is changed, when there is a root key already.
Result<Exit> init(Session& session, const InitOptions& options);
Result<Exit> doctor(Session& session, const std::filesystem::path& state_dir);
// 0 only when the daemon is up and ready.
Result<Exit> health(Session& session);
Result<Exit> version(Session& session);

}  // namespace berth
