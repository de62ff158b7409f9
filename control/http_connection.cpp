#include "control/http_connection.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <variant>

#include "base/file.h"
#include "base/log.h"
#include "base/overloaded.h"
#include "base/text.h"
#include "control/exchange.h"
#include "control/server.h"
#include "control/wire.h"

namespace berth {
namespace {

// An unlinked file for one body. Throws SystemError.
Fd make_spool(const std::filesystem::path& directory) {
    std::string path = (directory / "body-XXXXXX").string();
    Fd fd{check(::mkostemp(path.data(), O_CLOEXEC), "making a file for a body in '{}'",
                directory.string())};
    check(::unlink(path.c_str()), "unlinking '{}'", path);
    return fd;
}

bool has_type(const Headers& headers, std::string_view wanted) {
    const auto type = headers.find("content-type");
    return wanted.empty() || !type ||
           to_lower_ascii(trim(type->substr(0, type->find(';')))) == wanted;
}

}  // namespace

HttpConnection::HttpConnection(Server& server, Fd fd, Peer peer, Admission admission)
    : server_{server},
      peer_{std::move(peer)},
      admission_{admission},
      stream_{server.loop_, std::move(fd)},
      parser_{server.options_.limits},
      since_{now()},
      last_written_{since_} {}

HttpConnection::~HttpConnection() {
    *alive_ = false;
    release_body();
    if (exchange_) exchange_->detach();
}

const HttpLimits& HttpConnection::limits() const { return server_.options_.limits; }
SteadyTime HttpConnection::now() const { return server_.clock_.steady(); }

void HttpConnection::serve() {
    stream_.read([this](std::string_view bytes) { received(bytes); });
}

void HttpConnection::turn_away(const ErrorAnswer& why) {
    serve();
    refuse(why);
}

void HttpConnection::received(std::string_view bytes) {
    if (phase_ == Phase::closed) return;
    if (bytes.empty()) {
        ended_ = true;
        // A client may half-close and still wait for its answers, but nobody
        // half-closes what it follows.
        if (phase_ == Phase::streaming) return close();
        if (phase_ == Phase::asking || phase_ == Phase::answering ||
            (phase_ == Phase::reading && !pending_.empty()))
            return;
        return linger();
    }
    if (phase_ == Phase::lingering) return;
    pending_ += bytes;
    process();
}

void HttpConnection::process() {
    if (processing_) return;
    processing_ = true;
    std::string_view rest{pending_};
    // One request at a time, and none for a client that does not read its answers.
    while (phase_ == Phase::reading && !rest.empty() &&
           stream_.queued_bytes() <= limits().unsent_bytes) {
        if (parser_.idle()) since_ = now();
        switch (parser_.feed(rest)) {
            case RequestParser::Progress::more: body_arrived(); break;
            case RequestParser::Progress::head: head_arrived(); break;
            case RequestParser::Progress::complete: dispatch(); break;
            case RequestParser::Progress::refused:
                refuse(error_answer(parser_.refusal().status, parser_.refusal().message));
                break;
        }
    }
    pending_.erase(0, pending_.size() - rest.size());
    processing_ = false;
    if (phase_ == Phase::closed) return;

    const bool full = phase_ != Phase::lingering && pending_.size() >= limits().read_ahead_bytes;
    if (full && !paused_) stream_.pause();
    if (!full && paused_ && !ended_) stream_.resume();
    paused_ = full;
    if (ended_ && phase_ == Phase::reading && pending_.empty()) linger();
}

// From the loop and not from here: whoever answered is still at work.
void HttpConnection::process_later() {
    server_.loop_.later([this, alive = alive_] {
        if (*alive && phase_ != Phase::closed) process();
    });
}

void HttpConnection::head_arrived() {
    RequestHead& head = parser_.head();
    std::optional<ErrorAnswer> refusal;
    NamedValues headers;
    std::visit(overloaded{[&](Match match) { match_ = std::move(match); },
                          [&](NoPath) {
                              refusal =
                                  error_answer(404, fmt::format("there is no '{}' here",
                                                                printable(head.target.raw_path)));
                          },
                          [&](NoMethod no) {
                              refusal = error_answer(
                                  405, fmt::format("this path knows only {}", no.allow));
                              headers.add("allow", std::move(no.allow));
                          }},
               server_.router_.find(head.method, head.target.path));
    if (!refusal && match_->route->role != Role::none && peer_.role != match_->route->role)
        refusal = error_answer(Failure{FailureKind::denied, {}, {}});
    if (!refusal && head.body_kind != BodyKind::none &&
        !has_type(head.headers, match_->route->content_type))
        refusal = error_answer(415, fmt::format("the body must be '{}'; say so in 'content-type'",
                                                match_->route->content_type));
    if (refusal) {
        // Without a body to skip, the next request can follow.
        const bool in_step = head.body_kind == BodyKind::none &&
                             parser_.accept_body(0) == RequestParser::Progress::complete;
        return refuse(*refusal, in_step ? after_answer() : AfterAnswer::close, std::move(headers));
    }
    if (match_->route->gate && head.body_kind != BodyKind::none) return ask_gate();
    take_body();
}

// What comes meanwhile is read ahead, so much and no more.
void HttpConnection::ask_gate() {
    phase_ = Phase::asking;
    match_->route->gate(match_->params, [this, alive = alive_](Result<std::string> holder) {
        if (!*alive || phase_ != Phase::asking) return;
        phase_ = Phase::reading;
        if (!holder) return refuse(error_answer(holder.error()));
        holder_ = std::move(*holder);
        take_body();
        process();
    });
}

void HttpConnection::take_body() {
    switch (parser_.accept_body(match_->route->body_limit)) {
        case RequestParser::Progress::refused:
            return refuse(error_answer(parser_.refusal().status, parser_.refusal().message));
        case RequestParser::Progress::complete: return dispatch();
        case RequestParser::Progress::more:
        case RequestParser::Progress::head: break;
    }
    since_ = now();
    window_start_bytes_ = 0;
    if (parser_.head().expects_continue) write("HTTP/1.1 100 Continue\r\n\r\n");
}

void HttpConnection::body_arrived() {
    if (!match_) return;
    if (match_->route->body_place == BodyPlace::memory) {
        if (auto held = hold_body(); !held) refuse(error_answer(held.error()));
        return;
    }
    if (auto kept = spool(parser_.take_body()); !kept) refuse(error_answer(kept.error()));
}

Result<void> HttpConnection::spool(std::string bytes) {
    try {
        if (!spool_) spool_ = make_spool(server_.options_.spool_directory);
        write_all(spool_.get(), bytes);
        return {};
    } catch (const SystemError& error) {
        log_error("cannot keep the body of a request", {{"why", error.what()}});
        return fail(FailureKind::unavailable, "the body cannot be kept: {}",
                    std::generic_category().message(error.err()));
    }
}

Result<void> HttpConnection::hold_body() {
    const auto came = static_cast<std::size_t>(parser_.body_bytes()) - held_body_;
    if (came > 0 && !server_.hold_body(came, holder_))
        return fail(FailureKind::busy, "too many requests with large bodies at once; try again");
    held_body_ += came;
    return {};
}

void HttpConnection::release_body() {
    server_.release_body(std::exchange(held_body_, 0), holder_);
    holder_.clear();
}

void HttpConnection::dispatch() {
    const Route& route = *match_->route;
    RequestHead& head = parser_.head();
    Request request;
    if (route.body_place == BodyPlace::file) {
        if (auto kept = spool(parser_.take_body()); !kept)
            return refuse(error_answer(kept.error()));
        (void)::lseek(spool_.get(), 0, SEEK_SET);  // cannot fail on a file of our own
        request.body_file = std::move(spool_);
    } else {
        if (auto held = hold_body(); !held) return refuse(error_answer(held.error()));
        request.body = parser_.take_body();
    }
    request.method = head.method;
    request.target = std::move(head.target.raw_path);
    request.raw_query = std::move(head.target.raw_query);
    request.path = std::move(head.target.path);
    request.params = std::move(match_->params);
    request.query = std::move(head.target.query);
    request.headers = std::move(head.headers);
    request.body_bytes = parser_.body_bytes();
    request.peer = peer_;

    phase_ = Phase::answering;
    exchange_ = std::make_shared<Exchange>(*this, head);
    const std::string target = request.target;
    try {
        route.handler(std::move(request), Reply{exchange_, route.error_style});
    } catch (const std::exception& error) {
        // The Reply died on the way here and has answered 500.
        log_error("a request failed", {{"method", to_string(route.method)},
                                       {"target", printable(target)},
                                       {"why", error.what()}});
    }
}

}  // namespace berth
