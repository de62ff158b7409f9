#pragma once

#include <chrono>
#include <functional>

#include "base/loop/handle.h"
#include "base/loop/loop.h"

namespace berth {

// A one-shot timer. After the destructor the callback never runs, so a Timer
// member may capture `this` of its owner. Thread: loop.
class Timer {
public:
    Timer(Loop& loop, std::function<void()> on_fire);

    // Starts, or starts anew.
    void start(std::chrono::milliseconds delay);
    void stop() noexcept;
    bool armed() const noexcept;

private:
    struct Handle {
        uv_timer_t uv;
        std::function<void()> on_fire;
    };
    UvHandle<Handle> handle_;
};

}  // namespace berth
