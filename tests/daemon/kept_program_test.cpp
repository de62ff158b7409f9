// When a program that has ended is started again.
#include "daemon/kept_program.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace berth;
using namespace std::chrono_literals;

TEST_CASE("a program that has lived for a while is started again soon", "[daemon]") {
    RestartPause pause;
    for (int i = 0; i < 3; ++i)
        CHECK(pause.after(1h) == 50ms);
}

TEST_CASE("a program that ends soon again and again is started later and later", "[daemon]") {
    RestartPause pause;
    for (int i = 0; i < 10; ++i)
        CHECK(pause.after(10ms) == 50ms);
    std::vector<std::chrono::milliseconds> pauses;
    for (int i = 0; i < 10; ++i)
        pauses.push_back(pause.after(10ms));
    CHECK(pauses == std::vector<std::chrono::milliseconds>{50ms, 100ms, 200ms, 400ms, 800ms, 1600ms,
                                                           3200ms, 5000ms, 5000ms, 5000ms});
    CHECK(pause.after(3s) == 50ms);
    CHECK(pause.after(10ms) == 50ms);
}
