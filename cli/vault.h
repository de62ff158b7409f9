// `berth vault`: the keys and their rotation.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cli/session.h"

namespace berth {

Result<Exit> vault_status(Session& session);

struct VaultRotate {
    std::string what = "kek";  // root, kek, data
    std::string tenant;        // data keys only; empty: all
    bool wait = false;         // until it is over
};
Result<Exit> vault_rotate(Session& session, const VaultRotate& rotate);

Result<Exit> vault_accept_restore(Session& session);

struct NewRoot {
    std::filesystem::path file;
    std::optional<uid_t> runner_uid;  // else user `berth-runner`, else unchanged
};
// Makes the file and says what to write into the configuration; changes nothing else.
Result<Exit> vault_new_root(Session& session, const NewRoot& options);

}  // namespace berth
