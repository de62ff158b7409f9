#include "control/peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace berth {
namespace {

// user_namespaces(7): ids without a mapping are shown as these two.
constexpr uid_t kOverflowId = 65534;
constexpr uid_t kNoId = static_cast<uid_t>(-1);

bool is_somebody(uid_t id) { return id != kOverflowId && id != kNoId; }

std::vector<gid_t> read_groups(int fd) {
    std::vector<gid_t> groups(32);
    for (;;) {
        auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
        const int rc = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
        if (rc < 0 && errno == ENODATA) return {};  // the peer has no socket credentials
        if (rc < 0 && errno == ERANGE) {            // `size` now says how much there is
            groups.resize(size / sizeof(gid_t));
            continue;
        }
        check(rc, "reading the groups of a socket's peer");
        groups.resize(size / sizeof(gid_t));
        return groups;
    }
}

}  // namespace

std::string_view to_string(Role role) {
    switch (role) {
        case Role::none: return "none";
        case Role::administrator: return "administrator";
    }
    return "none";
}

Peer read_peer(int connected_fd, const PeerRules& rules) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    check(::getsockopt(connected_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size),
          "reading the credentials of a socket's peer");
    Peer peer{.pid = credentials.pid,
              .uid = credentials.uid,
              .gid = credentials.gid,
              .groups = read_groups(connected_fd),
              .role = Role::none};
    peer.role = role_of(peer, rules);
    return peer;
}

Role role_of(const Peer& peer, const PeerRules& rules) {
    if (!is_somebody(peer.uid)) return Role::none;
    if (peer.uid == 0 || peer.uid == rules.daemon_uid) return Role::administrator;
    if (!rules.group || !is_somebody(*rules.group)) return Role::none;
    const bool member =
        peer.gid == *rules.group ||
        std::find(peer.groups.begin(), peer.groups.end(), *rules.group) != peer.groups.end();
    return member ? Role::administrator : Role::none;
}

}  // namespace berth
