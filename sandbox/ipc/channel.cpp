#include "sandbox/ipc/channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/pipe.h"
#include "model/limits.h"

namespace berth::ipc {

std::optional<Assembler::Message> Assembler::add(std::string_view packet) {
    const auto broken = [this](std::string why) -> std::optional<Message> {
        error_ = std::move(why);
        return {};
    };
    if (!error_.empty()) return {};
    FrameHeader header;
    if (packet.size() < sizeof header) return broken("a frame is shorter than its header");
    std::memcpy(&header, packet.data(), sizeof header);
    packet.remove_prefix(sizeof header);

    const FrameHeader expected;
    if (header.magic != expected.magic) return broken("a frame does not begin with its mark");
    if (header.version != expected.version)
        return broken(
            fmt::format("a frame has version {}, this program speaks {}; the daemons are "
                        "of different releases",
                        header.version, expected.version));
    if (header.bytes != packet.size()) return broken("a frame's size is not what it says");
    if (header.total > limits::kMessageBytes)
        return broken(fmt::format("a message of {} bytes is over the limit", header.total));
    if (open_ ? header.type != type_ || header.total != total_ : false)
        return broken("a frame belongs to another message than the one that was begun");
    type_ = header.type;
    total_ = header.total;
    if (partial_.size() + packet.size() > total_) return broken("a message is longer than it says");
    // Once for most messages; an announcement alone does not take all it says.
    if (partial_.empty()) partial_.reserve(std::min<std::size_t>(total_, limits::MiB));
    partial_ += packet;
    open_ = header.more != 0;
    if (open_) return {};
    if (partial_.size() != total_) return broken("a message is shorter than it says");
    Message message{static_cast<MessageType>(type_), std::move(partial_)};
    partial_.clear();
    return message;
}

Channel::Channel(Loop& loop, Fd connected, Events events)
    : fd_{std::move(connected)},
      events_{std::move(events)},
      poll_{loop, fd_.get(), [this](int got) { ready(got); }} {
    set_blocking(fd_.get(), Blocking::no);
    ucred peer{};
    socklen_t size = sizeof peer;
    check(::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size), "asking who the peer is");
    peer_uid_ = peer.uid;
    peer_pid_ = peer.pid;
    update_wanted();
}

void Channel::send(MessageType type, std::string payload) {
    if (closed_ || !write_error_.empty()) return;
    const std::string_view all{payload};
    std::size_t at = 0;
    do {
        const auto part = all.substr(at, limits::kFrameBytes);
        at += part.size();
        FrameHeader header;
        header.type = static_cast<std::uint16_t>(type);
        header.bytes = static_cast<std::uint32_t>(part.size());
        header.total = static_cast<std::uint32_t>(all.size());
        header.more = at < all.size() ? 1 : 0;
        queue_.push_back({header, std::string{part}});
        queued_bytes_ += part.size();
    } while (at < all.size());
    cleanse(payload.data(), payload.size());  // it may have held a plaintext
    above_level_ = above_level_ || queued_bytes_ > drain_level_;
    write_some();
}

void Channel::on_drained(std::size_t level, std::function<void()> drained) {
    drain_level_ = level;
    drained_ = std::move(drained);
}

void Channel::pause() {
    paused_ = write_error_.empty();  // else its end is still to be read
    update_wanted();
}

void Channel::resume() {
    paused_ = false;
    update_wanted();
}

void Channel::ready(int events) {
    const auto alive = alive_;
    if ((events & Poll::readable) != 0 && !paused_) read_some();
    if (*alive && !closed_ && (events & Poll::writable) != 0) write_some();
}

void Channel::read_some() {
    const auto alive = alive_;
    thread_local std::array<char, limits::kFrameBytes + sizeof(FrameHeader)> buffer;
    // A few packets a turn, so that one busy peer does not hold up the loop.
    for (int i = 0; i < 16 && !closed_ && !paused_; ++i) {
        iovec part{buffer.data(), buffer.size()};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        const ssize_t n = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
        if (n == 0 && !write_error_.empty()) return close(write_error_);
        if (n <= 0) return close(n == 0 ? "the other end has closed" : std::strerror(errno));
        if ((header.msg_flags & MSG_TRUNC) != 0) return close("a frame is over the size limit");
        auto message = assembler_.add({buffer.data(), static_cast<std::size_t>(n)});
        cleanse(buffer.data(), static_cast<std::size_t>(n));
        if (!assembler_.error().empty()) return close(assembler_.error());
        if (!message) continue;
        events_.on_message(message->type, message->payload);
        cleanse(message->payload.data(), message->payload.size());
        if (!*alive) return;
    }
}

void Channel::write_some() {
    while (!queue_.empty()) {
        Frame& frame = queue_.front();
        iovec parts[2] = {{&frame.header, sizeof frame.header},
                          {frame.bytes.data(), frame.bytes.size()}};
        msghdr header{};
        header.msg_iov = parts;
        header.msg_iovlen = 2;
        const ssize_t n = ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n < 0) {
            // Told by the read side, on its own turn: the caller is not re-entered here.
            // It finds the end of the socket, after what the peer had sent.
            write_error_ = std::strerror(errno);
            ::shutdown(fd_.get(), SHUT_RDWR);
            paused_ = false;
            queue_.clear();
            queued_bytes_ = 0;
            break;
        }
        queued_bytes_ -= frame.bytes.size();
        cleanse(frame.bytes.data(), frame.bytes.size());
        queue_.pop_front();
    }
    update_wanted();
    if (above_level_ && queued_bytes_ <= drain_level_) {
        above_level_ = false;
        if (drained_) drained_();
    }
}

void Channel::close(std::string why) {
    if (closed_) return;
    closed_ = true;
    poll_.want(0);
    const auto on_closed = events_.on_closed;  // it may destroy this
    if (on_closed) on_closed(std::move(why));
}

void Channel::update_wanted() {
    if (closed_) return;
    poll_.want((paused_ ? 0 : Poll::readable) | (queue_.empty() ? 0 : Poll::writable));
}

}  // namespace berth::ipc
