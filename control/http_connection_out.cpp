// The half of a HttpConnection that writes, waits and closes.
#include <algorithm>

#include "base/log.h"
#include "control/exchange.h"
#include "control/http_connection.h"
#include "control/server.h"
#include "control/wire.h"

namespace berth {

void HttpConnection::refuse(const ErrorAnswer& why, AfterAnswer after, NamedValues headers) {
    write(to_wire(refusal(why, std::move(headers)), parser_.head().method,
                  after == AfterAnswer::close ? Closing::yes : Closing::no));
    answered(after);
}

HttpConnection::AfterAnswer HttpConnection::after_answer() {
    const bool keep = parser_.head().keep_alive && !server_.stopping_;
    return keep ? AfterAnswer::next_request : AfterAnswer::close;
}

void HttpConnection::answered(AfterAnswer after) {
    if (phase_ == Phase::closed) return;
    if (exchange_) exchange_->detach();
    exchange_.reset();
    match_.reset();
    spool_.reset();
    release_body();
    since_ = now();
    if (after == AfterAnswer::close) return linger();
    phase_ = Phase::reading;
    parser_.next();
    process_later();
}

// Our end is closed and the client has a moment to read what it was told: a
// close(2) while it still sends would show it a broken pipe instead.
void HttpConnection::linger() {
    if (ended_ && stream_.queued_bytes() == 0) return close();
    if (std::exchange(phase_, Phase::lingering) == Phase::lingering) return;
    if (paused_ && !ended_) stream_.resume();
    paused_ = false;
    if (stream_.queued_bytes() == 0) linger_until_ = now() + limits().linger_time;
    try {
        stream_.end_writing();
    } catch (const SystemError&) {
        close();
    }
}

void HttpConnection::close() {
    if (phase_ == Phase::closed) return;
    phase_ = Phase::closed;
    const auto exchange = std::exchange(exchange_, nullptr);
    if (exchange) exchange->detach();
    server_.closed(*this);
    if (exchange) exchange->tell_gone();
}

void HttpConnection::respond(Response response) {
    if (phase_ != Phase::answering) return;
    const auto after = after_answer();
    write(to_wire(response, exchange_->method(),
                  after == AfterAnswer::close ? Closing::yes : Closing::no));
    answered(after);
}

void HttpConnection::begin(Response head) {
    if (phase_ != Phase::answering) return;
    phase_ = Phase::streaming;
    const auto type = head.headers.find("content-type");
    event_stream_ = type && *type == "text/event-stream";
    write(stream_head(head, exchange_->version(),
                      after_answer() == AfterAnswer::close ? Closing::yes : Closing::no));
    if (ended_) close();
}

void HttpConnection::send(std::string bytes) {
    if (phase_ != Phase::streaming || exchange_->method() == Method::head) return;
    const bool chunked = exchange_->version() == HttpVersion::v1_1;
    if (stream_.queued_bytes() + bytes.size() <= limits().unsent_bytes)
        return write(chunked ? chunk(bytes) : std::move(bytes));

    // Whoever follows slower than it comes is dropped: an event says so, any
    // other body ends without its end, so that nobody takes it for whole.
    const auto exchange = exchange_;
    if (event_stream_) {
        const std::string last =
            "event: error\ndata: {\"message\":\"the events came faster than they were read; "
            "follow again from the last id\"}\n\n";
        write(chunked ? chunk(last) + std::string{kLastChunk} : last);
        answered(AfterAnswer::close);
    } else {
        close();
    }
    exchange->tell_gone();
}

void HttpConnection::finish() {
    if (phase_ != Phase::streaming) return;
    const bool chunked = exchange_->version() == HttpVersion::v1_1;
    if (chunked && exchange_->method() != Method::head) write(std::string{kLastChunk});
    answered(after_answer());
}

void HttpConnection::write(std::string bytes) {
    if (phase_ == Phase::closed) return;
    if (stream_.queued_bytes() == 0) last_written_ = now();
    try {
        stream_.write(std::move(bytes), [this](bool good) { written(good); });
        last_unsent_ = stream_.queued_bytes();
    } catch (const SystemError&) {  // the client is gone; what it was told does not matter
        close();
    }
}

void HttpConnection::written(bool good) {
    if (phase_ == Phase::closed) return;
    if (!good) return close();
    last_written_ = now();
    last_unsent_ = stream_.queued_bytes();
    if (phase_ == Phase::reading) process();
    if (last_unsent_ > 0) return;
    if (phase_ == Phase::lingering) {
        if (ended_) return close();
        linger_until_ = now() + limits().linger_time;
    }
    if (const auto exchange = exchange_; exchange && phase_ == Phase::streaming)
        exchange->drained();
}

void HttpConnection::check_deadlines(SteadyTime at) {
    const auto unsent = stream_.queued_bytes();
    if (unsent > 0) {  // the client's turn: it has to read
        if (unsent < last_unsent_) last_written_ = at;
        last_unsent_ = unsent;
        if (at >= last_written_ + limits().idle_time) close();
        return;
    }
    switch (phase_) {
        case Phase::lingering:
            if (linger_until_ && at >= *linger_until_) close();
            return;
        case Phase::streaming:
            if (!event_stream_ || at < last_written_ + limits().heartbeat) return;
            return send(":\n\n");
        case Phase::reading: break;
        case Phase::asking:
        case Phase::answering:
        case Phase::closed: return;
    }
    if (parser_.idle()) {
        if (at >= since_ + limits().idle_time) close();
    } else if (parser_.in_head()) {
        if (at >= since_ + limits().head_time)
            refuse(error_answer(408, "the request's head took too long"));
    } else if (at >= since_ + limits().body_window) {
        const auto came = parser_.body_bytes() - window_start_bytes_;
        const auto seconds = std::chrono::duration<double>(limits().body_window).count();
        if (static_cast<double>(came) <
            seconds * static_cast<double>(limits().body_bytes_per_second))
            return refuse(error_answer(408, "the request's body came too slowly"));
        since_ = at;
        window_start_bytes_ = parser_.body_bytes();
    }
}

void HttpConnection::stop() {
    switch (phase_) {
        case Phase::reading:
            // A request whose body is under way is still answered.
            if (!parser_.idle() && !parser_.in_head()) return;
            return stream_.queued_bytes() == 0 ? close() : linger();
        case Phase::streaming: {
            const auto exchange = exchange_;
            finish();
            return exchange->tell_gone();
        }
        case Phase::asking:
        case Phase::answering:
        case Phase::lingering:
        case Phase::closed: return;
    }
}

}  // namespace berth
