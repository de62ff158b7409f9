#include "bench/http_wire.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace berth::bench {
namespace {

// The value of a header; `head` is in lower case. Nothing: it is not there.
std::optional<std::string_view> header(std::string_view head, std::string_view name) {
    const auto at = head.find(fmt::format("\r\n{}:", name));
    if (at == std::string_view::npos) return {};
    const auto value = head.substr(at + name.size() + 3);
    return trim(value.substr(0, value.find('\r')));
}

// The answer that `text` begins with, once all of it is there.
std::optional<HttpAnswer> whole_answer(const std::string& text) {
    constexpr std::size_t kStatusAt = 9;  // behind `HTTP/1.1 `
    const auto head_size = text.find("\r\n\r\n");
    if (head_size == std::string::npos) return {};
    const auto head = to_lower_ascii(std::string_view{text}.substr(0, head_size));
    const auto length = header(head, "content-length");
    if (!length) throw std::runtime_error{"an answer has no length"};
    const auto body_size = to_number<std::size_t>(*length);
    if (!body_size || text.size() < head_size + 4 + *body_size) return {};
    HttpAnswer answer;
    answer.status = to_number<int>(std::string_view{head}.substr(kStatusAt, 3)).value_or(0);
    if (const auto when = header(head, "retry-after"))
        answer.retry_after = std::chrono::seconds{to_number<int>(*when).value_or(0)};
    answer.body = text.substr(head_size + 4, *body_size);
    return answer;
}

}  // namespace

std::string post_request(const std::string& target) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: berth\r\nContent-Length: 0\r\n\r\n", target);
}

HttpWire::HttpWire(const std::filesystem::path& socket)
    : fd_{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.string().size() >= sizeof address.sun_path)
        throw std::runtime_error{fmt::format("'{}' is too long", socket.string())};
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    check(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
          "connecting to '{}'", socket.string());
}

void HttpWire::send(const std::string& request) {
    if (::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
        errno != ECONNRESET)
        throw SystemError{errno, "sending a request"};
}

HttpWire::Got HttpWire::receive(HttpAnswer& answer) {
    char buffer[16 * 1024];
    const auto got = ::read(fd_.get(), buffer, sizeof buffer);
    if (got < 0 && errno != ECONNRESET) throw SystemError{errno, "reading an answer"};
    if (got <= 0) return Got::end;
    text_.append(buffer, static_cast<std::size_t>(got));
    auto whole = whole_answer(text_);
    if (!whole) return Got::part;
    answer = *std::move(whole);
    text_.clear();
    return Got::answer;
}

}  // namespace berth::bench
