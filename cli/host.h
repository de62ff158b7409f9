// `berth init`, `berth doctor`, `berth health`, `berth version`, `berth audit`, `berth backup`,
// `berth restore`: the host itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
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

struct AuditFilter {
    std::int64_t before = 0;  // rows below this one; 0: the newest
    std::int64_t limit = 50;
};
Result<Exit> audit_list(Session& session, const AuditFilter& filter);
// `head`: SEQ:HASH as it was published, or empty. Failed when the trail is not whole.
Result<Exit> audit_verify(Session& session, const std::string& head);

// Into the file `where`, or into one with the time in its name in the folder `where`.
Result<Exit> backup(Session& session, const std::string& where);
struct RestoreOptions {
    std::filesystem::path from;
    std::filesystem::path config = "/etc/berth/berth.conf";
};
// Where no store is and no berthd runs. Becomes berthd, which does it.
Result<Exit> restore(Session& session, const RestoreOptions& options);

}  // namespace berth
