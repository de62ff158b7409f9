// Running a loop in a test: until something has come about, or a deadline that
// fails the test.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>

#include "base/loop/loop.h"
#include "base/loop/timer.h"

namespace berth::test {

// Turns the loop until `done()`; asked after each turn. The deadline is generous:
// it is there for what never comes.
inline void run_until(Loop& loop, const std::function<bool()>& done,
                      std::chrono::seconds deadline = std::chrono::seconds{180}) {
    bool late = false;
    Timer timer{loop, [&] { late = true; }};
    timer.start(deadline);
    bool reached = false;  // `done` may take what it finds: asked once a turn
    while (!(reached = done()) && !late)
        uv_run(loop.raw(), UV_RUN_ONCE);
    if (!reached) FAIL("what the test waits for has not come within " << deadline.count() << " s");
}

}  // namespace berth::test
