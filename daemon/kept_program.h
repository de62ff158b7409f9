// A program that is to be there as long as its supervisor is: started again soon after it
// has ended, or later and later when it does not live for long.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/loop/child.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"

namespace berth {

// How long to wait before the next start of a program that has lived for so long: a few
// ends in a row may be somebody's kills, only a long row is a program that cannot live.
// Thread: any one.
class RestartPause {
public:
    std::chrono::milliseconds after(SteadyTime::duration lived);

private:
    // Not at once: the kernel still takes apart what the one that has ended had (a launcher
    // would find its cgroup busy).
    static constexpr std::chrono::milliseconds kFirst{50};
    std::chrono::milliseconds next_ = kFirst;
    int in_a_row_ = 0;
};

// Thread: loop.
class KeptProgram {
public:
    // Exit code of every daemon for a wrong command line.
    static constexpr int kRefused = 2;

    // `options` are asked for at each start.
    // `on_refused`: it does not take what it was started with, and never will.
    KeptProgram(Loop& loop, const Clock& clock, std::string name,
                std::function<ChildOptions()> options, std::function<void()> on_refused);

    void start();
    // Ends it for good; `gone` comes on a later turn.
    void stop(int signo, std::function<void()> gone);
    void kill();

private:
    void ended(int status);
    void retry();

    Loop& loop_;
    const Clock& clock_;
    const std::string name_;
    const std::function<ChildOptions()> options_;
    const std::function<void()> on_refused_;
    SteadyTime started_{};
    int starts_ = 0;
    std::shared_ptr<Child> child_;
    RestartPause pause_;
    Timer again_;
    bool stopping_ = false;
    std::function<void()> gone_;
};

}  // namespace berth
