#include "daemon/kept_program.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kLivedWell = 2s;  // after so long an end is not part of a row of them
constexpr auto kLongest = 5'000ms;
constexpr int kFew = 10;

}  // namespace

std::chrono::milliseconds RestartPause::after(SteadyTime::duration lived) {
    if (lived > kLivedWell) {
        next_ = kFirst;
        in_a_row_ = 0;
    }
    if (in_a_row_ < kFew) return ++in_a_row_, kFirst;
    return std::exchange(next_, std::min<std::chrono::milliseconds>(next_ * 2, kLongest));
}

KeptProgram::KeptProgram(Loop& loop, const Clock& clock, std::string name,
                         std::function<ChildOptions()> options, std::function<void()> on_refused)
    : loop_{loop},
      clock_{clock},
      name_{std::move(name)},
      options_{std::move(options)},
      on_refused_{std::move(on_refused)},
      again_{loop, [this] { start(); }} {}

void KeptProgram::start() {
    ++starts_;
    started_ = clock_.steady();
    try {
        child_ = std::make_unique<Child>(loop_, options_(), [this](int status) { ended(status); });
    } catch (const SystemError& error) {
        log_error(error.what(), {{"program", name_}});
        retry();
    }
}

void KeptProgram::stop(int signo, std::function<void()> gone) {
    stopping_ = true;
    again_.stop();
    gone_ = std::move(gone);
    if (child_)
        child_->signal(signo);
    else
        loop_.later(gone_);
}

void KeptProgram::kill() {
    if (child_) child_->signal(SIGKILL);
}

void KeptProgram::ended(int status) {
    loop_.later([held = std::move(child_)] {});  // we are in its callback
    if (stopping_) return loop_.later(gone_);
    // Once it has run with these words it may run again, whatever it says now.
    if (starts_ == 1 && WIFEXITED(status) && WEXITSTATUS(status) == kRefused) {
        log_error("a daemon refuses what it was started with, for the reason above; stopping",
                  {{"program", name_}});
        return loop_.later(on_refused_);
    }
    log_error("a daemon has ended, starting it again",
              {{"program", name_},
               {"status", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)}});
    retry();
}

void KeptProgram::retry() { again_.start(pause_.after(clock_.steady() - started_)); }

}  // namespace berth
