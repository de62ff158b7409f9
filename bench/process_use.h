// What the daemons take of the host, as /proc tells it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace berth::bench {

struct Use {
    double resident_kib = 0;
    double proportional_kib = 0;  // pages that several share are counted in shares
    double own_kib = 0;           // of no file
    int descriptors = 0;
};
using Uses = std::map<std::string, Use>;

// Who listens there.
pid_t peer_of(const std::filesystem::path& socket);
// By program. The daemons are the children of one supervisor.
Uses uses_of(pid_t supervisor);

}  // namespace berth::bench
