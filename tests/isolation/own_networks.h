// The network namespaces that some processes keep alive: the ones they are in, and the ones
// of their sockets, by inode; and what else they hold open. Other programs of the machine do
// not count.
#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

namespace berth {

using Networks = std::set<ino_t>;
Networks networks_of(const std::vector<pid_t>& processes);
// How many descriptors it has, without sockets of IPv4 and IPv6.
std::size_t descriptors_of(pid_t process);

}  // namespace berth
