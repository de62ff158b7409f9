// A real server on a real socket with its loop in a thread, and a hand that
// drives raw bytes at it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop/loop.h"
#include "base/text.h"
#include "control/parser.h"
#include "control/server.h"

namespace berth::testing {

using namespace std::chrono_literals;

// Steady time moves when the test says so. Thread: any.
class HandClock final : public Clock {
public:
    Time now() const override { return time_from_micros(us_.load()); }
    SteadyTime steady() const override { return SteadyTime{std::chrono::microseconds{us_.load()}}; }
    void advance(std::chrono::microseconds by) { us_ += by.count(); }

private:
    std::atomic<std::int64_t> us_{1'000'000'000};
};

class ServerInThread {
public:
    // `routes` is called once, before the loop runs.
    explicit ServerInThread(const std::function<void(Router&)>& routes,
                            const std::function<void(ServerOptions&)>& tune = {},
                            Audience audience = Audience::peers);
    ~ServerInThread();

    const std::filesystem::path& socket() const { return socket_; }
    HandClock& clock() { return clock_; }
    // Runs `task` on the loop and waits for it.
    void on_loop(const std::function<void()>& task);
    // Waits on the loop, turn by turn, until `condition` holds there; false after 10 s.
    bool wait_until(const std::function<bool()>& condition);
    Server& server() { return *server_; }  // Thread: loop
    void stop(std::function<void()> stopped);

private:
    TempDir dir_{"control-test"};
    std::filesystem::path socket_;
    HandClock clock_;
    Router router_;
    Loop* loop_ = nullptr;
    std::optional<Server> server_;
    std::thread thread_;
};

// A client that sends what it is told to, byte for byte.
class RawClient {
public:
    explicit RawClient(const std::filesystem::path& socket);

    // What could be sent before the server stopped reading.
    void send(std::string_view bytes);
    void finish_sending();  // half-closes
    // Up to the end of the connection; fails the test after 10 s.
    std::string read_all();
    // Up to and with `mark`.
    std::string read_until(std::string_view mark);
    int fd() const { return fd_.get(); }

private:
    bool read_some();
    Fd fd_;
    std::string unread_;
};

// The status of the first response in `bytes`; 0 when there is none.
int status_in(std::string_view bytes);
// All statuses, for pipelined answers.
std::vector<int> statuses_in(std::string_view bytes);

// The routes most tests use: GET /ok, POST /echo (any JSON type), GET /items/{id},
// GET /never (keeps the reply), GET /throws, GET /drops, POST /file.
void add_test_routes(Router& router);
constexpr std::string_view kMarker = "GET /ok HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";

// Printed, and taken back from the environment.
std::uint64_t random_seed();

}  // namespace berth::testing
