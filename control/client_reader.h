// What a server answers, from bytes: one response, and the events of a stream.
// Pure; the half of the client that can be tested without a socket.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "control/client.h"

namespace berth {

enum class AnswerTo { head, other };  // a HEAD is answered without a body

// Reads one response; 1xx responses before it are skipped.
class ResponseReader {
public:
    explicit ResponseReader(AnswerTo to) : to_{to} {}

    // Takes bytes from the front of `bytes`; stops after the end. `invalid` when
    // they are no HTTP response.
    Result<void> feed(std::string_view& bytes);
    // No more bytes come; `unavailable` when the response is not whole.
    Result<void> end_of_input();

    bool head_complete() const { return state_ != State::head; }
    bool complete() const { return state_ == State::complete; }
    // False: the server closes the connection after this response.
    bool reusable() const { return keep_alive_; }
    ClientResponse& response() { return response_; }

private:
    enum class State { head, sized, chunk_line, chunk_data, trailer, until_end, complete };

    Result<void> read_head();
    Result<void> read_chunk_line();
    bool take_line(std::string_view& bytes);

    AnswerTo to_;
    State state_ = State::head;
    std::string line_;  // of the head, or of a chunk
    ClientResponse response_;
    std::uint64_t due_ = 0;
    bool keep_alive_ = true;
};

// Server-sent events (WHATWG HTML 9.2), from UTF-8 with LF or CR LF lines.
class EventReader {
public:
    // Calls `on_event` for each whole event; stop: what is left is not looked at.
    Follow feed(std::string_view bytes, const std::function<Follow(const ServerEvent&)>& on_event);

private:
    std::string line_;
    ServerEvent event_;
    bool has_data_ = false;
};

}  // namespace berth
