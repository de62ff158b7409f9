// What one connection's renewal has under way, for the files that share it.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "daemon/tokens.h"

namespace berth {

struct Tokens::Flight {
    Flight(Loop& loop, ConnectionId of, std::function<void()> on_timer)
        : connection{of}, timer{loop, std::move(on_timer)} {}
    ConnectionId connection;
    Time need_until{};  // of all who wait
    std::vector<Waiting> waiting;
    std::function<void()> then;  // when the timer fires
    bool asking = false;
    int tries = 0;  // to keep an answer
    Timer timer;

    void at(std::chrono::milliseconds delay, std::function<void()> act) {
        then = std::move(act);
        timer.start(std::max(delay, std::chrono::milliseconds{1}));
    }
};

}  // namespace berth
