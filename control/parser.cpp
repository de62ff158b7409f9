#include "control/parser.h"

#include <llhttp.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace berth {
namespace {

// `POST`, ` HTTP/1.1` and the like, around a target of the largest size.
constexpr std::size_t kAroundTarget = 32;

HttpRefusal out_of_step() { return {400, "the request is malformed"}; }

}  // namespace

struct RequestParser::Framing {
    llhttp_settings_t settings{};
    llhttp_t http{};
    std::string body;
    bool head_complete = false;
    bool message_complete = false;

    Framing() {
        llhttp_settings_init(&settings);
        settings.on_headers_complete = [](llhttp_t* parser) noexcept {
            static_cast<Framing*>(parser->data)->head_complete = true;
            return 0;
        };
        settings.on_message_complete = [](llhttp_t* parser) noexcept {
            static_cast<Framing*>(parser->data)->message_complete = true;
            return 0;
        };
        settings.on_body = [](llhttp_t* parser, const char* at, std::size_t length) noexcept {
            static_cast<Framing*>(parser->data)->body.append(at, length);
            return 0;
        };
        restart();
    }

    void restart() {
        llhttp_init(&http, HTTP_REQUEST, &settings);
        http.data = this;
        body.clear();
        head_complete = message_complete = false;
    }

    // False when llhttp refuses the bytes.
    bool feed(std::string_view bytes) {
        return llhttp_execute(&http, bytes.data(), bytes.size()) == HPE_OK;
    }

    bool agrees_with(const RequestHead& head) const {
        if (!head_complete) return false;
        const bool chunked = (http.flags & F_CHUNKED) != 0;
        if (chunked != (head.body_kind == BodyKind::chunked)) return false;
        const bool empty = head.body_kind == BodyKind::none ||
                           (head.body_kind == BodyKind::sized && head.content_length == 0);
        if (empty != message_complete) return false;
        return empty || chunked || http.content_length == head.content_length;
    }
};

RequestParser::RequestParser(const HttpLimits& limits)
    : limits_{limits}, framing_{std::make_unique<Framing>()} {}
RequestParser::~RequestParser() = default;

RequestParser::Progress RequestParser::feed(std::string_view& bytes) {
    while (!bytes.empty() || state_ == State::refused) {
        Progress progress = Progress::more;
        switch (state_) {
            case State::head: progress = feed_head(bytes); break;
            case State::sized:
            case State::chunk_data: progress = feed_data(bytes); break;
            case State::chunk_line:
            case State::last_line: progress = feed_chunk_line(bytes); break;
            case State::refused: return Progress::refused;
            case State::decide:
            case State::complete: BERTH_ASSERT(!"fed between two steps");
        }
        if (progress != Progress::more) return progress;
    }
    return Progress::more;
}

RequestParser::Progress RequestParser::accept_body(std::uint64_t limit) {
    if (state_ == State::refused) return Progress::refused;
    BERTH_ASSERT(state_ == State::decide);
    body_limit_ = limit;
    switch (head_.body_kind) {
        case BodyKind::none: return complete();
        case BodyKind::chunked: state_ = State::chunk_line; return Progress::more;
        case BodyKind::sized: break;
    }
    if (head_.content_length > limit)
        return refuse({413, fmt::format("the body has more than {} bytes", limit)});
    if (head_.content_length == 0) return complete();
    due_ = head_.content_length;
    state_ = State::sized;
    return Progress::more;
}

void RequestParser::next() {
    BERTH_ASSERT(state_ == State::complete);
    framing_->restart();
    pending_.clear();
    line_start_ = 0;
    head_ = {};
    body_bytes_ = 0;
    state_ = State::head;
}

bool RequestParser::idle() const { return state_ == State::head && pending_.empty(); }
bool RequestParser::in_head() const { return state_ == State::head && !pending_.empty(); }

std::string RequestParser::take_body() { return std::exchange(framing_->body, {}); }

RequestParser::Progress RequestParser::refuse(HttpRefusal refusal) {
    refusal_ = std::move(refusal);
    state_ = State::refused;
    return Progress::refused;
}

// Moves bytes into pending_ up to and with the next LF, or up to one more than
// `limit` in all. True when pending_ ends with a line.
bool RequestParser::take_line(std::string_view& bytes, std::size_t limit) {
    const auto newline = bytes.find('\n');
    const auto wanted = newline == bytes.npos ? bytes.size() : newline + 1;
    const auto taken = std::min(wanted, limit + 1 - std::min(limit, pending_.size()));
    pending_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    return pending_.back() == '\n';
}

RequestParser::Progress RequestParser::feed_head(std::string_view& bytes) {
    const bool in_request_line = line_start_ == 0;
    const auto limit = in_request_line
                           ? std::min(limits_.head_bytes, limits_.uri_bytes + kAroundTarget)
                           : limits_.head_bytes;
    const bool whole_line = take_line(bytes, limit);
    if (pending_.size() > limit)
        return in_request_line
                   ? refuse({414, fmt::format("the request line has more than {} bytes", limit)})
                   : refuse({431, fmt::format("the request's head has more than {} bytes", limit)});
    if (!whole_line) return Progress::more;

    std::string_view line{pending_};
    line.remove_prefix(line_start_);
    line_start_ = pending_.size();
    if (line.size() < 2 || line[line.size() - 2] != '\r')
        return refuse({400, "a line of the request's head does not end with CR LF"});
    line.remove_suffix(2);

    if (!in_request_line && line.empty()) {
        if (auto refusal = settle(head_)) return refuse(*std::move(refusal));
        if (!framing_->feed(pending_) || !framing_->agrees_with(head_))
            return refuse(out_of_step());
        pending_.clear();
        state_ = State::decide;
        return Progress::head;
    }
    auto refusal = in_request_line ? read_request_line(line, limits_, head_)
                                   : read_header_line(line, limits_, head_);
    if (refusal) return refuse(*std::move(refusal));
    return Progress::more;
}

RequestParser::Progress RequestParser::feed_data(std::string_view& bytes) {
    const auto before = framing_->body.size();
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(due_, bytes.size()));
    if (!framing_->feed(bytes.substr(0, taken))) return refuse(out_of_step());
    bytes.remove_prefix(taken);
    due_ -= taken;
    body_bytes_ += framing_->body.size() - before;
    if (due_ > 0) return Progress::more;
    if (state_ == State::sized) return complete();
    state_ = State::chunk_line;
    return Progress::more;
}

RequestParser::Progress RequestParser::feed_chunk_line(std::string_view& bytes) {
    const bool whole_line = take_line(bytes, limits::kHttpChunkLineBytes);
    if (pending_.size() > limits::kHttpChunkLineBytes)
        return refuse({400, fmt::format("the line of a chunk has more than {} bytes",
                                        limits::kHttpChunkLineBytes)});
    if (!whole_line) return Progress::more;
    const std::string line = std::exchange(pending_, {});
    if (line.size() < 2 || line[line.size() - 2] != '\r')
        return refuse({400, "the line of a chunk does not end with CR LF"});

    if (state_ == State::last_line) {
        if (line.size() != 2) return refuse({400, "headers after the body are not accepted"});
        if (!framing_->feed(line)) return refuse(out_of_step());
        return complete();
    }
    const auto size = read_chunk_line(std::string_view{line}.substr(0, line.size() - 2));
    if (!size) return refuse({400, "the size of a chunk is malformed"});
    if (*size > body_limit_ || body_bytes_ > body_limit_ - *size)
        return refuse({413, fmt::format("the body has more than {} bytes", body_limit_)});
    if (!framing_->feed(line) || framing_->http.content_length != *size)
        return refuse(out_of_step());
    due_ = *size + 2;
    state_ = *size == 0 ? State::last_line : State::chunk_data;
    return Progress::more;
}

// The end of a message, if llhttp sees it at the same byte.
RequestParser::Progress RequestParser::complete() {
    if (!framing_->message_complete) return refuse(out_of_step());
    state_ = State::complete;
    return Progress::complete;
}

}  // namespace berth
