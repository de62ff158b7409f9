// What berth-runner and berth-egress say to each other; each message is one packet
// (egress_channel.h). A run's listeners were opened inside its network namespace and
// travel with Serve; getsockname(2) tells which is which.
//
//   egress → runner   Hello at once; Connection for each one that is over or refused
//   runner → egress   Serve when a run with network egress begins, and for each that
//                     is live when berth-egress comes back; Stop at its end
//   egress → runner   Stopped: its listeners are closed, its last Connection was sent
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/ipc/messages.h"

namespace berth::ipc {

// Where the listeners of a sandbox are, besides those of the egress ports.
inline constexpr std::uint16_t kDnsPort = 53;      // UDP and TCP
inline constexpr std::uint16_t kProxyPort = 3128;  // CONNECT, for all other ports

enum class EgressType : std::uint16_t {
    hello = 1,
    serve = 2,
    stop = 3,
    stopped = 4,
    connection = 5,
};

struct EgressHello {
    static constexpr auto kType = EgressType::hello;
    std::uint32_t allowed = 0;  // entries of the administrator's list
    template <class V>
    void fields(V& v) {
        v(allowed);
    }
};

struct EgressServe {
    static constexpr auto kType = EgressType::serve;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    // Counts the times that this run was handed over. An address that stood for a name
    // before must not stand for another one now, since the script may remember it.
    std::uint32_t turn = 0;
    std::vector<std::string> names;  // as in Start
    template <class V>
    void fields(V& v) {
        v(run_id, attempt, turn, names);
    }
};

struct EgressStop {
    static constexpr auto kType = EgressType::stop;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    template <class V>
    void fields(V& v) {
        v(run_id, attempt);
    }
};

struct EgressStopped {
    static constexpr auto kType = EgressType::stopped;
    std::int64_t run_id = 0;
    std::int32_t attempt = 1;
    template <class V>
    void fields(V& v) {
        v(run_id, attempt);
    }
};

struct EgressConnection {
    static constexpr auto kType = EgressType::connection;
    Connection connection;  // as berthd gets it
    template <class V>
    void fields(V& v) {
        v(connection);
    }
};

}  // namespace berth::ipc
