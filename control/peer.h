// Who is at the other end of the Unix socket: the kernel's word, not the peer's.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

namespace berth {

enum class Role { none, administrator };
std::string_view to_string(Role role);

// Whom a socket serves. peers: processes of this host, each with the role its credentials
// give. anybody: what a reverse proxy brings; whoever it is has no role.
enum class Audience { peers, anybody };

// Credentials as they were when the peer called connect(2).
struct Peer {
    pid_t pid = 0;  // for messages; may be somebody else's by now
    uid_t uid = static_cast<uid_t>(-1);
    gid_t gid = static_cast<gid_t>(-1);
    std::vector<gid_t> groups;  // supplementary
    Role role = Role::none;
};

// Besides root: the daemon's own user and the members of one group.
struct PeerRules {
    uid_t daemon_uid = static_cast<uid_t>(-1);
    std::optional<gid_t> group;
};

// Reads SO_PEERCRED and SO_PEERGROUPS; the role is by `rules`. Throws SystemError.
Peer read_peer(int connected_fd, const PeerRules& rules);

// Pure. An id that stands for "unmapped" (65534, -1) is never anybody's: a
// process of another user namespace arrives with it.
Role role_of(const Peer& peer, const PeerRules& rules);

}  // namespace berth
