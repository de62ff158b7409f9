// `berthd --start PROGRAM`: what the units of berth-runner, berth-launcher and
// berth-egress begin with. It reads the settings, which those programs do not, and becomes
// the program with them on its command line, as the supervisor of `berthd --all` starts
// it; the service manager sees one process all along.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "daemon/config.h"

namespace berth {

// What the host says, so that the rest is pure: a variable of the environment, a user's
// id, the inherited socket of that name, whether a file is there.
struct UnitFacts {
    std::function<std::optional<std::string>(const char* name)> variable;
    std::function<std::optional<uid_t>(const char* user)> user;
    std::function<std::optional<int>(std::string_view name)> socket;
    std::function<bool(const std::filesystem::path&)> exists;
};
UnitFacts facts_of_host();

struct Command {
    std::vector<std::string> argv;
    std::vector<std::string> env;
};

// Refused: a program that no unit has; a user or a socket that is not there.
Result<Command> unit_command(const Config& config, std::string_view program,
                             const UnitFacts& facts);

// Becomes the program, which lies beside ours; comes back only with a refusal.
Failure start_unit(const Config& config, std::string_view program);

}  // namespace berth
