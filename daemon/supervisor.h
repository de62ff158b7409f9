// `berthd --all`: starts the other programs where no systemd does (a demo, tests,
// a container), each with its own user and its listening socket, and starts anew
// what dies. It does what the units of systemd/ do, and nothing else: it parses
// no input and holds no secret.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "daemon/config.h"

namespace berth {

// Runs until SIGTERM or SIGINT; the exit code of the program. Thread: main.
int supervise(const Config& config, const std::filesystem::path& config_file);

// The users the daemons run as; those of the caller when it is not root.
struct DaemonIds {
    uid_t daemon_uid, daemon_gid, runner_uid, runner_gid, egress_uid, egress_gid;
};
DaemonIds choose_ids(const Config& config);

// Makes the folders of state_dir and run_dir and hands each to its user.
void prepare_folders(const Config& config, const DaemonIds& ids);

}  // namespace berth
