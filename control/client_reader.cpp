#include "control/client_reader.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace berth {
namespace {

constexpr std::size_t kHeadBytes = 64 * 1024;

tl::unexpected<Failure> no_http(std::string_view what) {
    return fail(FailureKind::invalid, "what answers is not berthd: {}", what);
}

}  // namespace

std::string_view ClientResponse::header(std::string_view name) const {
    for (const auto& [known, value] : headers)
        if (known == name) return value;
    return {};
}

bool ResponseReader::take_line(std::string_view& bytes) {
    const auto newline = bytes.find('\n');
    const auto taken = newline == bytes.npos ? bytes.size() : newline + 1;
    line_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    return newline != bytes.npos;
}

Result<void> ResponseReader::feed(std::string_view& bytes) {
    while (!bytes.empty() && state_ != State::complete) {
        switch (state_) {
            case State::head: {
                const bool whole_line = take_line(bytes);
                if (line_.size() > kHeadBytes) return no_http("its head is too large");
                if (!whole_line || !line_.ends_with("\r\n\r\n")) break;
                if (auto read = read_head(); !read) return read;
                break;
            }
            case State::chunk_line:
                if (!take_line(bytes)) break;
                if (auto read = read_chunk_line(); !read) return read;
                break;
            case State::trailer:
                if (!take_line(bytes)) break;
                if (line_ == "\r\n") state_ = State::complete;
                line_.clear();
                break;
            case State::chunk_data:
                if (due_ <= 2) {  // its CR LF
                    bytes.remove_prefix(1);
                    if (--due_ == 0) state_ = State::chunk_line;
                    break;
                }
                [[fallthrough]];
            case State::sized: {
                const std::uint64_t data = state_ == State::sized ? due_ : due_ - 2;
                const auto taken =
                    static_cast<std::size_t>(std::min<std::uint64_t>(data, bytes.size()));
                response_.body += bytes.substr(0, taken);
                bytes.remove_prefix(taken);
                due_ -= taken;
                if (due_ == 0) state_ = State::complete;
                break;
            }
            case State::until_end:
                response_.body += bytes;
                bytes = {};
                break;
            case State::complete: break;
        }
    }
    return {};
}

Result<void> ResponseReader::end_of_input() {
    if (state_ == State::until_end) state_ = State::complete;
    if (state_ == State::complete) return {};
    return fail(FailureKind::unavailable,
                "berthd closed the connection before its answer was whole");
}

Result<void> ResponseReader::read_head() {
    const auto lines = split(std::exchange(line_, {}), '\n');
    const std::string_view status_line = trim(lines.front());
    const auto status =
        status_line.size() < 12 ? std::optional<int>{} : to_number<int>(status_line.substr(9, 3));
    if (!status_line.starts_with("HTTP/1.") || !status || *status < 100)
        return no_http(fmt::format("it begins with '{}'", printable(status_line, 40)));
    if (*status < 200) return {};  // the response itself follows

    response_.status = *status;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const std::string_view line = trim(lines[i]);
        const auto colon = line.find(':');
        if (colon == line.npos) continue;
        response_.headers.emplace_back(to_lower_ascii(line.substr(0, colon)),
                                       std::string{trim(line.substr(colon + 1))});
    }
    keep_alive_ = to_lower_ascii(response_.header("connection")) != "close";
    if (to_ == AnswerTo::head || *status == 204 || *status == 304) {
        state_ = State::complete;
    } else if (to_lower_ascii(response_.header("transfer-encoding")) == "chunked") {
        state_ = State::chunk_line;
    } else if (const auto length = response_.header("content-length"); !length.empty()) {
        const auto bytes = to_number<std::uint64_t>(length);
        if (!bytes) return no_http("its length is no number");
        due_ = *bytes;
        state_ = due_ == 0 ? State::complete : State::sized;
    } else {
        keep_alive_ = false;
        state_ = State::until_end;
    }
    return {};
}

Result<void> ResponseReader::read_chunk_line() {
    const std::string line = std::exchange(line_, {});
    const auto [stop, error] =
        std::from_chars(line.data(), line.data() + line.size(), due_, /*base=*/16);
    if (error != std::errc{} || (*stop != '\r' && *stop != ';'))
        return no_http("the size of a chunk is malformed");
    if (due_ == 0) {
        state_ = State::trailer;
        return {};
    }
    due_ += 2;
    state_ = State::chunk_data;
    return {};
}

Follow EventReader::feed(std::string_view bytes,
                         const std::function<Follow(const ServerEvent&)>& on_event) {
    while (!bytes.empty()) {
        const auto newline = bytes.find('\n');
        line_ += bytes.substr(0, newline);
        if (newline == bytes.npos) return Follow::on;
        bytes.remove_prefix(newline + 1);
        const std::string held = std::exchange(line_, {});
        std::string_view line{held};
        if (line.ends_with('\r')) line.remove_suffix(1);

        if (line.empty()) {
            const bool whole = std::exchange(has_data_, false);
            const ServerEvent event = std::exchange(event_, {});
            if (whole && on_event(event) == Follow::stop) return Follow::stop;
            continue;
        }
        const auto colon = line.find(':');
        const auto name = line.substr(0, colon);
        auto value = colon == line.npos ? std::string_view{} : line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        if (name == "id") event_.id = value;
        if (name == "event") event_.event = value;
        if (name == "data") {
            if (has_data_) event_.data += '\n';
            event_.data += value;
            has_data_ = true;
        }
    }
    return Follow::on;
}

}  // namespace berth
