// The SOCK_SEQPACKET connection between berth-runner and berth-egress: one message a
// packet, with descriptors. A peer that breaks the rules is cut off.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "sandbox/ipc/codec.h"
#include "sandbox/ipc/egress_messages.h"

namespace berth::ipc {

// Thread: loop. No callback runs after the destructor.
class EgressChannel {
public:
    struct Events {
        std::function<void(EgressType, std::string_view payload, std::vector<Fd> fds)> on_message;
        // The peer is gone or broke a rule (`why`); called once, nothing follows.
        std::function<void(std::string why)> on_closed;
    };
    EgressChannel(Loop& loop, Fd connected, Events events);

    // Takes the message; packets wait here when the socket is full.
    template <typename Message>
    void send(const Message& message, std::vector<Fd> fds = {}) {
        send(Message::kType, encode(message), std::move(fds));
    }
    // As if the peer had gone, for a message that cannot be read.
    void close(std::string why);
    uid_t peer_uid() const noexcept { return peer_uid_; }

private:
    struct Packet {
        std::string bytes;
        std::vector<Fd> fds;
    };
    void send(EgressType type, std::string payload, std::vector<Fd> fds);
    void ready(int events);
    bool read_one();  // false when there is nothing more to read now
    void write_some();

    Fd fd_;
    uid_t peer_uid_ = 0;
    Events events_;
    std::deque<Packet> queue_;
    bool closed_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    Poll poll_;

public:
    ~EgressChannel() { *alive_ = false; }
    EgressChannel(const EgressChannel&) = delete;
    EgressChannel& operator=(const EgressChannel&) = delete;
};

}  // namespace berth::ipc
