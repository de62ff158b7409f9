#include "sandbox/egress/relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "model/limits.h"

namespace berth::egress {
namespace {

constexpr int kPiecesPerTurn = 4;  // so that one busy connection does not hold up the others

void send_at_once(int socket) {
    constexpr int kYes = 1;
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &kYes, sizeof kYes);
}

}  // namespace

void reset_connection(Fd socket) noexcept {
    const linger at_once{1, 0};
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Relay::Relay(Loop& loop, Ends ends, std::function<void()> on_end)
    : script_{std::move(ends.script)},
      world_{std::move(ends.world)},
      inspect_{std::move(ends.inspect)},
      on_end_{std::move(on_end)},
      idle_{loop, [this] { finish(Going::broken); }} {
    out_.from = in_.to = script_.get();
    in_.from = out_.to = world_.get();
    out_.waiting = std::move(ends.to_world);
    out_.bytes = out_.waiting.size();
    in_.waiting = std::move(ends.to_script);
    script_poll_.emplace(loop, script_.get(), [this](int) { turn(); });
    world_poll_.emplace(loop, world_.get(), [this](int) { turn(); });
    send_at_once(script_.get());
    send_at_once(world_.get());
    loop.later([this, alive = alive_] {
        if (*alive) turn();
    });
}

Relay::~Relay() {
    *alive_ = false;
    if (on_end_) close(Going::broken);
}

void Relay::turn() {
    idle_.start(limits::kEgressIdleTime);
    if (pump(out_) == Going::broken || pump(in_) == Going::broken) return finish(Going::broken);
    if (out_.shut && in_.shut) return finish(Going::on);
    update_wanted();
}

Relay::Going Relay::write_waiting(Way& way) {
    while (!way.empty()) {
        const ssize_t n =
            ::send(way.to, way.waiting.data() + way.at, way.waiting.size() - way.at, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR ? Going::on : Going::broken;
        way.at += static_cast<std::size_t>(n);
    }
    way.waiting = {};  // gives the memory back
    way.at = 0;
    return Going::on;
}

Relay::Going Relay::look_at(const Way& way) {
    if (way.empty()) return Going::on;
    switch (inspect_(way.waiting)) {
        case Verdict::need_more: return Going::on;
        case Verdict::yes: inspect_ = {}; return Going::on;
        case Verdict::no: refused_ = true; return Going::broken;
    }
    return Going::broken;
}

Relay::Going Relay::pump(Way& way) {
    // One for all: what cannot be written at once is copied out of it.
    thread_local std::array<char, limits::kEgressBufferBytes> buffer;
    for (int i = 0; i < kPiecesPerTurn; ++i) {
        if (&way == &out_ && inspect_ && look_at(way) == Going::broken) return Going::broken;
        const bool held = &way == &out_ && inspect_;
        if (!held) {
            if (write_waiting(way) == Going::broken) return Going::broken;
            if (!way.empty()) return Going::on;
        }
        if (way.ended) {
            if (!way.empty()) return Going::broken;  // within what was to be looked at
            if (!std::exchange(way.shut, true)) (void)::shutdown(way.to, SHUT_WR);
            return Going::on;
        }
        const ssize_t n = ::recv(way.from, buffer.data(), buffer.size(), 0);
        if (n < 0) return errno == EAGAIN || errno == EINTR ? Going::on : Going::broken;
        way.ended = n == 0;
        way.bytes += static_cast<std::size_t>(n);
        std::string_view rest{buffer.data(), static_cast<std::size_t>(n)};
        if (!held && n > 0) {
            const ssize_t written = ::send(way.to, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (written < 0 && errno != EAGAIN && errno != EINTR) return Going::broken;
            if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
        }
        way.waiting += rest;
    }
    return Going::on;
}

void Relay::update_wanted() {
    const bool held = static_cast<bool>(inspect_);
    const auto reads = [](const Way& way, bool more) {
        return !way.ended && (more || way.empty()) ? Poll::readable : 0;
    };
    const auto writes = [](const Way& way) {
        return !way.empty() || (way.ended && !way.shut) ? Poll::writable : 0;
    };
    script_poll_->want(reads(out_, held) | writes(in_));
    world_poll_->want(reads(in_, /*more=*/false) | (held ? 0 : writes(out_)));
}

void Relay::close(Going how) {
    idle_.stop();
    script_poll_.reset();
    world_poll_.reset();
    if (how == Going::broken) {
        reset_connection(std::move(script_));
        reset_connection(std::move(world_));
    }
    script_.reset();
    world_.reset();
}

void Relay::finish(Going how) {
    close(how);
    const auto on_end = std::exchange(on_end_, nullptr);  // it may destroy us
    on_end();
}

}  // namespace berth::egress
