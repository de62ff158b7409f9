// HTTP/1.1 requests from bytes, incrementally and without sockets. What two
// servers could frame differently is refused, so that nothing can be smuggled
// past a proxy in front (reliability.md B1). The head and each chunk line are
// collected and checked here (head.h) before llhttp gets to see them; both must
// agree on where a message ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "control/head.h"
#include "control/http.h"

namespace berth {

class RequestParser {
public:
    enum class Progress {
        more,      // all bytes are taken, the request is not whole yet
        head,      // head() is there; call accept_body() to go on
        complete,  // head() and body are whole; call next() to go on
        refused    // see refusal(); the parser stays so
    };

    explicit RequestParser(const HttpLimits& limits);
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;
    ~RequestParser();

    // Takes bytes from the front of `bytes`, up to the next progress. Not between
    // `head` and accept_body(), nor between `complete` and next().
    Progress feed(std::string_view& bytes);
    // After `head`: how much body this request may have. Refuses at once (413)
    // when it says that it has more; otherwise `more` or `complete`.
    Progress accept_body(std::uint64_t limit);
    // After `complete`: ready for the next request of the connection.
    void next();

    bool idle() const;     // nothing of a request has come yet
    bool in_head() const;  // something has, up to the end of the head
    RequestHead& head() { return head_; }
    std::string take_body();  // what has come of the body and was not taken yet
    std::uint64_t body_bytes() const { return body_bytes_; }  // all that has come of it
    const HttpRefusal& refusal() const { return refusal_; }

private:
    struct Framing;  // llhttp
    enum class State { head, decide, sized, chunk_line, chunk_data, last_line, complete, refused };

    Progress refuse(HttpRefusal refusal);
    Progress feed_head(std::string_view& bytes);
    Progress feed_data(std::string_view& bytes);
    Progress feed_chunk_line(std::string_view& bytes);
    Progress complete();
    bool take_line(std::string_view& bytes, std::size_t limit);

    HttpLimits limits_;
    std::unique_ptr<Framing> framing_;
    State state_ = State::head;
    std::string pending_;         // of the head, or of a chunk line
    std::size_t line_start_ = 0;  // in pending_
    RequestHead head_;
    std::uint64_t body_limit_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::uint64_t due_ = 0;  // until the next line: data and, when chunked, its CRLF
    HttpRefusal refusal_;
};

}  // namespace berth
