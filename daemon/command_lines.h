// What stands on the command lines of the other daemons, whoever starts them (the
// supervisor, or a unit by daemon/start.h): all that they may do beyond the plain
// sandbox, so that a berthd that was taken over cannot ask for more than the
// administrator configured. Pure.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/config.h"

namespace berth {

// All that follows the program's name. `listen_fd` is its listening socket; the uid is
// that of the one program that may connect there.
std::vector<std::string> launcher_arguments(const Config& config, int listen_fd, uid_t runner_uid);
std::vector<std::string> egress_arguments(const Config& config, int listen_fd, uid_t runner_uid);
// `credential`: the root key as systemd hands it over; empty: the file of the settings.
std::vector<std::string> runner_arguments(const Config& config, int listen_fd, uid_t daemon_uid,
                                          const std::filesystem::path& credential = {});

// Grants, limits, profile and pool; where it listens and whom it serves is not in it.
std::vector<std::string> launcher_policy(const Config& config);
// What scripts may reach beyond public addresses.
std::vector<std::string> egress_policy(const Config& config);

}  // namespace berth
