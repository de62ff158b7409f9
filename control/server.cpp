#include "control/server.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "control/http_connection.h"
#include "control/wire.h"

namespace berth {
namespace {

// Where a process may open few files, one socket's clients have a part of them: the rest is
// for the other socket, the store, the logs, the runs.
HttpLimits within_descriptors(HttpLimits limits) {
    rlimit files{};
    check(::getrlimit(RLIMIT_NOFILE, &files), "reading the limit of open files");
    limits.connections = std::min<std::size_t>(limits.connections, files.rlim_cur / 4);
    limits.connections_per_uid =
        std::min<std::size_t>(limits.connections_per_uid, files.rlim_cur / 8);
    limits.refusals = std::min<std::size_t>(limits.refusals, files.rlim_cur / 16);
    return limits;
}

// To a client that is let go at once: on a Unix socket what was written is read behind the
// close too, unless it goes on sending.
void tell(int client, const ErrorAnswer& why) {
    const std::string text = to_wire(refusal(why), Method::get, Closing::yes);
    (void)::send(client, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

Server::Server(Loop& loop, const Clock& clock, Fd listening, const Router& router,
               ServerOptions options)
    : loop_{loop},
      clock_{clock},
      router_{router},
      options_{std::move(options)},
      sweep_{loop, [this] { sweep(); }} {
    options_.limits = within_descriptors(options_.limits);
    listener_.emplace(loop_, std::move(listening), [this](Fd fd) { accept(std::move(fd)); });
}

Server::~Server() {
    *alive_ = false;
    listener_.reset();
}

void Server::accept(Fd fd) {
    try {
        const int raw = fd.get();
        const bool anybody = router_.audience() == Audience::anybody;
        Peer peer = read_peer(raw, options_.peers);
        if (anybody) peer.role = Role::none;  // also of root: it is the proxy's, not the client's
        std::optional<ErrorAnswer> refusal;
        if (!anybody && peer.role == Role::none)
            refusal = error_answer(Failure{FailureKind::denied, {}, {}});
        else if (!has_room_for(peer.uid))
            refusal = error_answer(
                Failure{FailureKind::busy, "too many connections are open; try again", {}});
        // So many are being turned away that of the next one nothing is kept.
        if (refusal && refused_ >= options_.limits.refusals) return tell(raw, *refusal);

        const uid_t uid = peer.uid;
        auto made =
            std::make_unique<HttpConnection>(*this, std::move(fd), std::move(peer),
                                             refusal ? Admission::refused : Admission::served);
        HttpConnection& connection = *made;
        open_.emplace(&connection, std::move(made));
        if (!sweep_.armed()) sweep_.start(options_.limits.sweep);
        if (refusal) {
            ++refused_;
            connection.turn_away(*refusal);
        } else {
            ++served_[uid];
            connection.serve();
        }
    } catch (const SystemError& error) {
        log_warning("cannot serve a connection, ignoring", {{"why", error.what()}});
    }
}

bool Server::has_room_for(uid_t uid) const {
    if (open_.size() - refused_ >= options_.limits.connections) return false;
    if (router_.audience() == Audience::anybody) return true;  // all come from the one proxy
    const auto served = served_.find(uid);
    return served == served_.end() || served->second < options_.limits.connections_per_uid;
}

bool Server::hold_body(std::size_t bytes, const std::string& holder) {
    const auto fits = [bytes](std::size_t held, std::size_t most) {
        return bytes <= most && held <= most - bytes;
    };
    if (!fits(held_body_bytes_, options_.limits.bodies_bytes)) return false;
    if (!holder.empty()) {
        const auto found = held_of_.find(holder);
        if (!fits(found == held_of_.end() ? 0 : found->second, options_.limits.bodies_bytes_of_one))
            return false;
        held_of_[holder] += bytes;
    }
    held_body_bytes_ += bytes;
    return true;
}

void Server::release_body(std::size_t bytes, const std::string& holder) {
    held_body_bytes_ -= bytes;
    const auto found = held_of_.find(holder);
    if (found == held_of_.end()) return;
    found->second -= bytes;
    if (found->second == 0) held_of_.erase(found);
}

void Server::closed(HttpConnection& connection) {
    const auto found = open_.find(&connection);
    if (found == open_.end()) return;
    if (connection.admission() == Admission::refused) {
        --refused_;
    } else if (const auto served = served_.find(connection.peer().uid);
               served != served_.end() && --served->second == 0) {
        served_.erase(served);
    }
    closed_.push_back(std::move(found->second));
    open_.erase(found);
    if (closed_.size() > 1) return;  // asked for already
    loop_.later([this, alive = alive_] {
        if (*alive) bury();
    });
}

void Server::bury() {
    // Moved out first: a destructor may end a stream and close one more.
    const auto closed = std::exchange(closed_, {});
    if (stopping_ && open_.empty() && stopped_) std::exchange(stopped_, {})();
}

void Server::sweep() {
    const SteadyTime now = clock_.steady();
    std::vector<HttpConnection*> all;  // deadlines close some of them
    all.reserve(open_.size());
    for (const auto& [connection, owner] : open_)
        all.push_back(connection);
    const bool late = stopping_ && now >= stop_deadline_;
    for (HttpConnection* connection : all) {
        if (!open_.contains(connection)) continue;
        if (late)
            connection->close();
        else
            connection->check_deadlines(now);
    }
    if (!open_.empty()) sweep_.start(options_.limits.sweep);
}

void Server::stop(std::function<void()> stopped) {
    stopping_ = true;
    stopped_ = std::move(stopped);
    stop_deadline_ = clock_.steady() + options_.limits.stop_time;
    listener_.reset();
    std::vector<HttpConnection*> all;
    for (const auto& [connection, owner] : open_)
        all.push_back(connection);
    for (HttpConnection* connection : all)
        if (open_.contains(connection)) connection->stop();
    loop_.later([this, alive = alive_] {
        if (*alive) bury();
    });
}

}  // namespace berth
