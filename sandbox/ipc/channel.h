// A SOCK_SEQPACKET connection as a sequence of messages. A message larger than a
// packet travels as several frames; each frame says version, type, sizes and
// whether more follows. A peer that breaks the rules is cut off.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "sandbox/ipc/codec.h"
#include "sandbox/ipc/messages.h"

namespace berth::ipc {

struct FrameHeader {
    std::uint32_t magic = 0x31465242;  // "BRF1"
    std::uint16_t version = 1;
    std::uint16_t type = 0;
    std::uint32_t bytes = 0;  // in this frame, after the header
    std::uint32_t total = 0;  // of the whole message
    std::uint32_t more = 0;   // 1: another frame of this message follows
    std::uint32_t reserved = 0;
};

// Puts frames together. Pure: for tests and fuzzing without a socket.
class Assembler {
public:
    // What a frame leads to: nothing yet, a message, or a broken rule (the text).
    struct Message {
        MessageType type{};
        std::string payload;
    };
    // `error` is set for ever once a rule was broken.
    std::optional<Message> add(std::string_view packet);
    const std::string& error() const { return error_; }

private:
    std::string partial_;
    std::uint16_t type_ = 0;
    std::uint32_t total_ = 0;
    bool open_ = false;
    std::string error_;
};

// Thread: loop. No callback runs after the destructor.
class Channel {
public:
    struct Events {
        std::function<void(MessageType, std::string_view payload)> on_message;
        // The peer is gone or broke a rule (`why`); called once, nothing follows.
        std::function<void(std::string why)> on_closed;
    };
    Channel(Loop& loop, Fd connected, Events events);

    // Takes the message; frames wait here when the socket is full.
    template <typename Message>
    void send(const Message& message) {
        send(Message::kType, encode(message));
    }
    void send(MessageType type, std::string payload);

    std::size_t queued_bytes() const noexcept { return queued_bytes_; }
    // Called when queued_bytes() has fallen to `level` after having been above it.
    void on_drained(std::size_t level, std::function<void()> drained);

    void pause();  // stops reading: the peer's sends wait
    void resume();
    uid_t peer_uid() const noexcept { return peer_uid_; }
    pid_t peer_pid() const noexcept { return peer_pid_; }

private:
    struct Frame {
        FrameHeader header;
        std::string bytes;
    };
    void ready(int events);
    void read_some();
    void write_some();
    void close(std::string why);
    void update_wanted();

    Fd fd_;
    uid_t peer_uid_ = 0;
    pid_t peer_pid_ = 0;
    Events events_;
    Assembler assembler_;
    std::deque<Frame> queue_;
    std::size_t queued_bytes_ = 0;
    std::size_t drain_level_ = 0;
    std::function<void()> drained_;
    bool above_level_ = false;
    std::string write_error_;  // nothing can be sent any more
    bool paused_ = false;
    bool closed_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    Poll poll_;

public:
    ~Channel() { *alive_ = false; }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
};

}  // namespace berth::ipc
