// The answer to one request. A Reply is moved to whoever answers, at once or
// much later; if it dies unsent it answers 500, so that no client is left
// waiting. Thread: loop, also for the destructors.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "control/errors.h"
#include "control/http.h"

namespace berth {

using Json = nlohmann::json;

// A complete answer; what Reply's functions make and the connection writes.
struct Response {
    int status = 200;
    NamedValues headers;
    std::string body;
};

// Where an answer goes: a connection of the server, or a test. Told of at most
// one respond() or begin(); send() and finish() follow begin().
class Responder {
public:
    virtual ~Responder() = default;
    virtual void respond(Response response) = 0;
    virtual void begin(Response head) = 0;     // a stream; the body is ignored
    virtual void send(std::string bytes) = 0;  // a piece of it
    virtual void finish() = 0;                 // its end
    virtual bool gone() const = 0;             // the client is no longer there
    virtual std::size_t unsent() const = 0;    // bytes taken and not yet written
    virtual void on_gone(std::function<void()> tell) = 0;
    virtual void on_drained(std::function<void()> tell) = 0;
};

// An answer whose body comes piece by piece. The end of its life is the end of
// the body. All calls after the client has gone do nothing.
class StreamReply {
public:
    explicit StreamReply(std::shared_ptr<Responder> to) : to_{std::move(to)} {}
    StreamReply(StreamReply&&) noexcept = default;
    StreamReply& operator=(StreamReply&& other) noexcept;
    ~StreamReply();

    // One server-sent event; `data` may have several lines, `event` and `id` none.
    // A follower with more than limits::kHttpUnsentBytes unread is dropped: it
    // gets an `error` event when it reads on, and counts as gone from here.
    void event(std::string_view event, std::string_view data, std::string_view id = {});
    // Bytes of any other body, such as text/plain; the same limit.
    void send(std::string bytes);
    void end();

    bool gone() const { return !to_ || to_->gone(); }
    std::size_t unsent() const { return to_ ? to_->unsent() : 0; }
    // Called once, when the client has left before the end. Not after end().
    void on_gone(std::function<void()> tell);
    // Called each time all that was sent has been written: the moment to send more.
    void on_drained(std::function<void()> tell);

private:
    std::shared_ptr<Responder> to_;
};

class Reply {
public:
    Reply(std::shared_ptr<Responder> to, ErrorStyle style) : to_{std::move(to)}, style_{style} {}
    Reply(Reply&&) noexcept = default;
    Reply& operator=(Reply&&) = delete;
    ~Reply();

    // Each of the following answers, once; more headers come before it.
    Reply& header(std::string name, std::string value);  // name in lower case

    void json(int status, const Json& value);
    void json(int status, std::string text);  // JSON text already
    void text(int status, std::string body,
              std::string_view content_type = "text/plain; charset=utf-8");
    void empty(int status);                    // 204, 304
    void redirect(std::string_view location);  // 302
    void failed(const Failure& failure);       // errors.h
    [[nodiscard]] StreamReply stream(std::string_view content_type = "text/event-stream");

private:
    void respond(int status, std::string_view content_type, std::string body);
    std::shared_ptr<Responder> take();

    std::shared_ptr<Responder> to_;
    ErrorStyle style_;
    NamedValues headers_;
};

}  // namespace berth
