#include "bench/http_load.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

namespace berth::bench {
namespace {

constexpr int kPatienceMs = 30'000;
constexpr std::string_view kLength = "content-length:";

Fd connect_to(const std::filesystem::path& socket) {
    Fd fd{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.string().size() >= sizeof address.sun_path)
        throw std::runtime_error{fmt::format("'{}' is too long", socket.string())};
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    check(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
          "connecting to '{}'", socket.string());
    return fd;
}

// True when `text` holds one whole answer.
bool is_whole(const std::string& text) {
    const auto head = text.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const auto lower = to_lower_ascii(std::string_view{text}.substr(0, head));
    const auto at = lower.find(kLength);
    if (at == std::string::npos) throw std::runtime_error{"an answer has no length"};
    const auto value = std::string_view{lower}.substr(at + kLength.size());
    const auto length = to_number<std::size_t>(trim(value.substr(0, value.find('\r'))));
    return length && text.size() >= head + 4 + *length;
}

struct Connection {
    Fd fd;
    const std::string* request = nullptr;
    std::string answer;
    Steady::time_point sent;
};

void send(Connection& connection) {
    connection.sent = Steady::now();
    write_all(connection.fd.get(), *connection.request);
}

// True when the answer is there.
bool receive(Connection& connection) {
    char buffer[16 * 1024];
    const auto got = check(::read(connection.fd.get(), buffer, sizeof buffer), "reading an answer");
    if (got == 0) throw std::runtime_error{"berthd closed a connection"};
    connection.answer.append(buffer, static_cast<std::size_t>(got));
    if (!is_whole(connection.answer)) return false;
    if (!connection.answer.starts_with("HTTP/1.1 2"))
        throw std::runtime_error{"berthd refused: " + connection.answer};
    connection.answer.clear();
    return true;
}

}  // namespace

std::string post_request(const std::string& target) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: berth\r\nContent-Length: 0\r\n\r\n", target);
}

Load send_load(const std::filesystem::path& socket, const std::vector<std::string>& requests,
               int total) {
    std::vector<Connection> connections;
    std::vector<pollfd> waiting;
    for (const std::string& request : requests) {
        connections.push_back({connect_to(socket), &request, {}, {}});
        waiting.push_back({connections.back().fd.get(), POLLIN, 0});
    }
    Load load;
    int to_send = total, to_answer = total;
    const auto begin = Steady::now();
    for (Connection& connection : connections)
        if (to_send-- > 0) send(connection);
    while (to_answer > 0) {
        if (check(::poll(waiting.data(), waiting.size(), kPatienceMs), "polling") == 0)
            throw std::runtime_error{"berthd did not answer"};
        for (std::size_t i = 0; i < connections.size(); ++i) {
            if (waiting[i].revents == 0 || !receive(connections[i])) continue;
            load.waits.add(Steady::now() - connections[i].sent);
            --to_answer;
            if (to_send-- > 0) send(connections[i]);
        }
    }
    load.per_second = total / std::chrono::duration<double>{Steady::now() - begin}.count();
    return load;
}

}  // namespace berth::bench
