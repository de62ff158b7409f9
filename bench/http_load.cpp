#include "bench/http_load.h"

#include <fmt/format.h>
#include <poll.h>

#include "base/error.h"

namespace berth::bench {
namespace {

constexpr int kPatienceMs = 30'000;

struct Connection {
    HttpWire wire;
    const std::string* request = nullptr;
    Steady::time_point sent{};

    void send() {
        sent = Steady::now();
        wire.send(*request);
    }
    // True when the answer is there.
    bool receive() {
        HttpAnswer answer;
        const auto got = wire.receive(answer);
        if (got == HttpWire::Got::end) throw std::runtime_error{"berthd closed a connection"};
        if (got == HttpWire::Got::answer && answer.status / 100 != 2)
            throw std::runtime_error{
                fmt::format("berthd refused: {} {}", answer.status, answer.body)};
        return got == HttpWire::Got::answer;
    }
};

}  // namespace

Load send_load(const std::filesystem::path& socket, const std::vector<std::string>& requests,
               int total) {
    std::vector<Connection> connections;
    std::vector<pollfd> waiting;
    for (const std::string& request : requests) {
        connections.push_back({HttpWire{socket}, &request});
        waiting.push_back({connections.back().wire.fd(), POLLIN, 0});
    }
    Load load;
    int to_send = total, to_answer = total;
    const auto begin = Steady::now();
    for (Connection& connection : connections)
        if (to_send-- > 0) connection.send();
    while (to_answer > 0) {
        if (check(::poll(waiting.data(), waiting.size(), kPatienceMs), "polling") == 0)
            throw std::runtime_error{"berthd did not answer"};
        for (std::size_t i = 0; i < connections.size(); ++i) {
            if (waiting[i].revents == 0 || !connections[i].receive()) continue;
            load.waits.add(Steady::now() - connections[i].sent);
            --to_answer;
            if (to_send-- > 0) connections[i].send();
        }
    }
    load.per_second = total / std::chrono::duration<double>{Steady::now() - begin}.count();
    return load;
}

}  // namespace berth::bench
