// The network namespaces that some processes keep alive: the ones they are in, and the ones
// of their sockets, by inode. Other programs of the machine do not count.
#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

namespace berth {

using Networks = std::set<ino_t>;
Networks networks_of(const std::vector<pid_t>& processes);

}  // namespace berth
