// The fixed-size records of launcher_protocol.h as packets on a socket, with the
// descriptors that travel with them. Used towards the launcher and towards the
// two processes of a sandbox; a peer's bytes are checked here before anyone looks.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "model/limits.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth::runner {

// The most descriptors that one record carries: a sandbox with its listeners.
inline constexpr std::size_t kMaxDescriptors = 4 + limits::kEgressListeners;

// What one recvmsg(2) gave.
struct Packet {
    enum class State { received, nothing_yet, closed, broken };
    State state = State::nothing_yet;
    int err = 0;  // when broken: errno, or EPROTO for a packet no record can be
    // Received, but for descriptors: this process may have no more of them.
    bool lacks_descriptors = false;
    std::array<char, 512> bytes{};
    std::size_t size = 0;
    std::vector<Fd> descriptors;

    // Nothing when it is not exactly such a record.
    template <typename R>
    std::optional<R> as(ipc::Record kind) const {
        static_assert(sizeof(R) <= sizeof bytes);
        if (state != State::received || size != sizeof(R)) return {};
        R record;
        std::memcpy(&record, bytes.data(), sizeof record);
        const ipc::RecordHeader& header = record.header;
        if (header.magic != ipc::kMagic || header.version != ipc::kVersion || header.record != kind)
            return {};
        return record;
    }
};

// Never blocks. Received descriptors are close-on-exec. With MSG_PEEK it stays in the socket.
Packet receive_packet(int socket, int flags = 0);

// Never blocks and raises no SIGPIPE. 0, or errno: EAGAIN when the socket is full.
int send_packet(int socket, const void* bytes, std::size_t size, std::span<const int> descriptors);

template <typename R>
int send_record(int socket, const R& record, std::span<const int> descriptors = {}) {
    return send_packet(socket, &record, sizeof record, descriptors);
}

}  // namespace berth::runner
