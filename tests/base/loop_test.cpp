// The loop's own: posting, timers, workers, signals, descriptors.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/loop/poll.h"
#include "base/loop/signals.h"
#include "base/loop/timer.h"
#include "base/loop/worker.h"
#include "base/pipe.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace std::chrono_literals;

TEST_CASE("what is posted runs on the loop's thread, in order", "[base]") {
    Loop loop;
    const auto here = std::this_thread::get_id();
    std::vector<int> order;
    bool elsewhere = false;
    std::thread other{[&] {
        for (int i = 0; i < 1000; ++i)
            loop.post([&, i] {
                order.push_back(i);
                elsewhere = elsewhere || std::this_thread::get_id() != here;
            });
        loop.post([&] { loop.stop(); });
    }};
    loop.run();
    other.join();
    REQUIRE(order.size() == 1000);
    CHECK(std::ranges::is_sorted(order));
    CHECK_FALSE(elsewhere);
}

TEST_CASE("later runs after what is running has returned", "[base]") {
    Loop loop;
    std::string order;
    loop.post([&] {
        loop.later([&] {
            order += "later";
            loop.stop();
        });
        order += "now ";
    });
    loop.run();
    CHECK(order == "now later");
}

TEST_CASE("timers fire once, in the order of their times", "[base]") {
    Loop loop;
    std::vector<int> fired;
    Timer third{loop, [&] { fired.push_back(3); }};
    Timer first{loop, [&] { fired.push_back(1); }};
    Timer second{loop, [&] { fired.push_back(2); }};
    third.start(60ms);
    first.start(0ms);
    second.start(20ms);
    CHECK(first.armed());
    test::run_until(loop, [&] { return fired.size() == 3; });
    CHECK(fired == std::vector{1, 2, 3});
    CHECK_FALSE(first.armed());
}

TEST_CASE("a timer that is stopped, started anew or gone does not fire for the old start",
          "[base]") {
    Loop loop;
    int stopped = 0, anew = 0, gone = 0;
    bool end = false;
    Timer a{loop, [&] { ++stopped; }};
    Timer b{loop, [&] { ++anew; }};
    auto c = std::make_unique<Timer>(loop, [&] { ++gone; });
    Timer last{loop, [&] { end = true; }};
    a.start(1ms);
    b.start(1ms);
    c->start(1ms);
    a.stop();
    b.start(2ms);
    c.reset();
    last.start(40ms);
    test::run_until(loop, [&] { return end; });
    CHECK(stopped == 0);
    CHECK(anew == 1);
    CHECK(gone == 0);
}

TEST_CASE("a timer may destroy itself while it fires", "[base]") {
    Loop loop;
    std::unique_ptr<Timer> timer;
    timer = std::make_unique<Timer>(loop, [&] { timer.reset(); });
    timer->start(0ms);
    test::run_until(loop, [&] { return timer == nullptr; });
}

TEST_CASE("a worker runs its tasks in order on one other thread, and all of them", "[base]") {
    std::vector<int> order;
    std::thread::id thread;
    bool changed = false;
    {
        Worker worker{"a-name-that-is-longer-than-15"};
        for (int i = 0; i < 1000; ++i)
            worker.run([&, i] {
                order.push_back(i);
                if (i == 0) thread = std::this_thread::get_id();
                changed = changed || thread != std::this_thread::get_id();
            });
    }  // runs what is queued, then joins
    REQUIRE(order.size() == 1000);
    CHECK(std::ranges::is_sorted(order));
    CHECK_FALSE(changed);
    CHECK(thread != std::this_thread::get_id());
}

TEST_CASE("a worker and a loop hand values to each other", "[base]") {
    Loop loop;
    Worker worker{"work"};
    int answer = 0;
    worker.run([&] { loop.post([&answer] { answer = 42; }); });
    test::run_until(loop, [&] { return answer == 42; });
}

TEST_CASE("signals arrive as events, and not on a worker", "[base]") {
    Loop loop;
    const Worker worker{"work"};
    std::vector<int> got;
    const Signals signals{loop, {SIGUSR1, SIGUSR2}, [&](int signo) { got.push_back(signo); }};
    REQUIRE(::kill(::getpid(), SIGUSR2) == 0);
    test::run_until(loop, [&] { return got.size() == 1; });
    REQUIRE(::kill(::getpid(), SIGUSR1) == 0);
    test::run_until(loop, [&] { return got.size() == 2; });
    CHECK(got == std::vector{SIGUSR2, SIGUSR1});
}

TEST_CASE("a descriptor tells when it can be read and when the other end hung up", "[base]") {
    Loop loop;
    Pipe pipe = make_pipe();
    int ready = 0;
    std::string got;
    bool end = false;
    Poll poll{loop, pipe.read.get(), [&](int) {
                  ++ready;
                  char bytes[16];
                  const ssize_t n = ::read(pipe.read.get(), bytes, sizeof bytes);
                  if (n <= 0) {
                      end = true;
                      poll.want(0);
                      return;
                  }
                  got.append(bytes, static_cast<std::size_t>(n));
              }};
    poll.want(Poll::readable);
    CHECK(::write(pipe.write.get(), "hello", 5) == 5);
    test::run_until(loop, [&] { return got == "hello"; });
    pipe.write.reset();
    test::run_until(loop, [&] { return end; });
    const int before = ready;
    bool turned = false;
    Timer timer{loop, [&] { turned = true; }};
    timer.start(5ms);
    test::run_until(loop, [&] { return turned; });
    CHECK(ready == before);  // want(0) is quiet, although there is an end to be read
}
