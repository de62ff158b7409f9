#include "tests/cli/fake_daemon.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sstream>

#include "base/pipe.h"
#include "base/text.h"

namespace berth::test {
namespace {

// Bytes of one connection, read on demand; nothing at its end or when stopped.
class Reader {
public:
    Reader(int fd, int stop_fd) : fd_{fd}, stop_fd_{stop_fd} {}

    std::optional<std::string> until(std::string_view mark) {
        std::size_t at = 0;
        while ((at = held_.find(mark)) == std::string::npos)
            if (!more()) return {};
        return take(at + mark.size());
    }
    std::optional<std::string> exactly(std::size_t size) {
        while (held_.size() < size)
            if (!more()) return {};
        return take(size);
    }

private:
    std::string take(std::size_t size) {
        std::string taken = held_.substr(0, size);
        held_.erase(0, size);
        return taken;
    }
    bool more() {
        pollfd watched[] = {{fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
        if (::poll(watched, 2, -1) < 0 || watched[1].revents != 0) return false;
        char bytes[16 * 1024];
        const ssize_t n = ::read(fd_, bytes, sizeof bytes);
        if (n <= 0) return false;
        held_.append(bytes, static_cast<std::size_t>(n));
        return true;
    }

    int fd_;
    int stop_fd_;
    std::string held_;
};

std::optional<Asked> read_request(Reader& reader) {
    const auto head = reader.until("\r\n\r\n");
    if (!head) return {};
    const auto lines = split(*head, '\n');
    const auto words = split(trim(lines[0]), ' ');
    Asked asked{words.at(0), words.at(1), {}, {}};
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto line = trim(lines[i]);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        asked.headers[to_lower_ascii(line.substr(0, colon))] = trim(line.substr(colon + 1));
    }
    if (asked.headers["transfer-encoding"] == "chunked") {
        for (;;) {
            const auto size_line = reader.until("\r\n");
            if (!size_line) return {};
            const auto size = std::strtoul(size_line->c_str(), nullptr, 16);
            const auto piece = reader.exactly(size + 2);
            if (!piece) return {};
            asked.body += piece->substr(0, size);
            if (size == 0) return asked;
        }
    }
    const auto length = to_number<std::size_t>(asked.headers["content-length"]).value_or(0);
    auto body = reader.exactly(length);
    if (!body) return {};
    asked.body = std::move(*body);
    return asked;
}

}  // namespace

Answer events(const std::string& text) {
    return {200, text, {{"content-type", "text/event-stream"}, {"connection", "close"}}};
}

std::string chunk_event(int seq, const std::string& stream, const std::string& text) {
    return fmt::format(
        "id: {0}\nevent: chunk\ndata: "
        "{{\"seq\":{0},\"time\":\"2026-11-22T03:04:05.000000Z\",\"stream\":\"{1}\",\"text\":\"{2}"
        "\"}}"
        "\n\n",
        seq, stream, text);
}

FakeDaemon::FakeDaemon() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(socket().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, socket().c_str(), socket().size() + 1);
    listening_ = Fd{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")};
    check(::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "binding '{}'", socket());
    check(::listen(listening_.get(), 16), "listening");
    Pipe stop = make_pipe();
    stop_read_ = std::move(stop.read);
    stop_write_ = std::move(stop.write);
    acceptor_ = std::thread{[this] { accept_all(); }};
}

FakeDaemon::~FakeDaemon() {
    stop_write_.reset();  // every poll() sees the end of this pipe
    acceptor_.join();
}

void FakeDaemon::accept_all() {
    std::vector<std::thread> connections;
    for (;;) {
        pollfd watched[] = {{listening_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
        if (::poll(watched, 2, -1) < 0 || watched[1].revents != 0) break;
        Fd connection{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (!connection) break;
        connections.emplace_back([this, fd = std::move(connection)] { serve(fd); });
    }
    for (std::thread& connection : connections)
        connection.join();
}

void FakeDaemon::serve(const Fd& connection) {
    Reader reader{connection.get(), stop_read_.get()};
    while (const auto asked = read_request(reader)) {
        const Answer reply = answer(*asked);
        std::string head = fmt::format("HTTP/1.1 {} Answer\r\n", reply.status);
        for (const auto& [name, value] : reply.headers)
            head += fmt::format("{}: {}\r\n", name, value);
        const bool last = reply.headers.contains("connection");
        if (!last) head += fmt::format("content-length: {}\r\n", reply.body.size());
        const std::string bytes = head + "\r\n" + reply.body;
        if (::send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 || last) return;
    }
}

Answer FakeDaemon::answer(const Asked& asked) {
    const std::string what = asked.method + ' ' + asked.target;
    Handler handler;
    state_.with([&](State& state) {
        state.asked.push_back(asked);
        if (const auto found = state.routes.find(what); found != state.routes.end())
            handler = found->second;
    });
    if (handler) return handler(asked);
    return {404, fmt::format(R"({{"message":"the test has no answer to '{}'"}})", what)};
}

void FakeDaemon::on(const std::string& what, Answer answer) {
    on(what, [answer = std::move(answer)](const Asked&) { return answer; });
}

void FakeDaemon::on(const std::string& what, Handler handler) {
    state_.with([&](State& state) { state.routes[what] = std::move(handler); });
}

std::vector<Asked> FakeDaemon::asked() const {
    std::vector<Asked> all;
    state_.with([&](State& state) { all = state.asked; });
    return all;
}

Asked FakeDaemon::only(const std::string& method, const std::string& target) const {
    std::vector<Asked> found;
    for (const Asked& one : asked())
        if (one.method == method && one.target.starts_with(target)) found.push_back(one);
    REQUIRE(found.size() == 1);
    return found.front();
}

Ran run_berth(const std::string& socket, std::vector<std::string> arguments, Terminal terminal) {
    Pipe input = make_pipe();
    write_all(input.write.get(), terminal.input);
    input.write.reset();
    std::ostringstream out, err;
    Io io{.out = out,
          .err = err,
          .in_fd = input.read.get(),
          .colour_out = terminal.colour,
          .colour_err = terminal.colour,
          .width = terminal.width,
          .environment = [&](const char* name) -> std::optional<std::string> {
              if (std::string_view{name} == "BERTH_SOCKET") return socket;
              return {};
          }};
    const Exit exit = run_cli(std::move(arguments), io);
    return {exit, out.str(), err.str()};
}

void check_golden(const std::string& name, const std::string& text) {
    const auto path = std::filesystem::path{BERTH_SOURCE_DIR} / "tests/cli/golden" / name;
    if (std::getenv("BERTH_UPDATE_GOLDEN") != nullptr) {
        write_file_atomically(path, text, 0644);
        WARN("rewrote " << path.string());
        return;
    }
    auto expected = read_file(path, 1 << 20);
    REQUIRE(expected);
    CHECK(text == *expected);
}

}  // namespace berth::test
