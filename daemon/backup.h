// All that Berth keeps but the root key, copied while it runs, and put back where there is
// nothing: `berthd --backup FOLDER` and `berthd --restore FOLDER|FILE`, run by root (or the
// owner of the state), and the copy behind `berth backup`, made by the daemon.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "daemon/config.h"

namespace berth {

struct BackupSums {
    std::uint64_t databases = 0;
    std::uint64_t releases = 0;
    std::uint64_t bytes = 0;  // of the databases
};

// FOLDER is made, for its maker's eyes only: conflict when it is there. The store comes
// first, then the logs and releases, so that what the store names is in the copy.
Result<BackupSums> back_up(const Config& config, const std::filesystem::path& folder);

// The same into an empty folder, each release as one file: for a tar. over_limit when the
// folder's disk has no room for it.
Result<BackupSums> snapshot(const Config& config, const std::filesystem::path& folder);

// From a folder that back_up() made, or the tar of one that snapshot() filled. conflict when
// there is a store already, or a berthd that has it; not_found when it is no backup; invalid
// when it is damaged. What is put back belongs to the owners of the folders it comes to.
Result<BackupSums> restore(const Config& config, const std::filesystem::path& from);

}  // namespace berth
