#include "scheduler/schedules.h"

#include <algorithm>

#include "base/log.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// The clock can step and a host can sleep: it is read this often at least.
constexpr milliseconds kTick = 1s;
constexpr auto kWatch = 60s;  // whatever is believed, the store is asked
constexpr auto kPrune = 60s;
constexpr auto kStep = 1s;  // by less the clock is only being corrected
constexpr milliseconds kFirstBackoff = 100ms;
constexpr milliseconds kMaxBackoff = 10s;

}  // namespace

ScheduleEngine::ScheduleEngine(Alarms& alarms, const Clock& clock, ScheduleStore& store,
                               std::function<void()> fired)
    : clock_{clock},
      store_{store},
      fired_{std::move(fired)},
      backoff_{kFirstBackoff},
      tick_{alarms.make([this] { tick(); })} {}

void ScheduleEngine::open() {
    open_ = true;
    highest_ = clock_.now();
    pruned_at_ = clock_.steady();
    rewind_ = true;
    kick();
}

void ScheduleEngine::close() { open_ = false; }

void ScheduleEngine::kick() {
    look_ = true;
    proceed();
}

bool ScheduleEngine::clock_went_back() {
    const Time now = clock_.now();
    const bool back = now + kStep < highest_;
    highest_ = back ? now : std::max(highest_, now);
    return back;
}

void ScheduleEngine::tick() {
    if (!open_) return;
    if (clock_went_back()) {
        log_warning("the clock went back, looking at all schedules", {});
        rewind_ = look_ = true;
    }
    const SteadyTime now = clock_.steady();
    if (now - looked_at_ >= kWatch) look_ = true;
    if (now - pruned_at_ >= kPrune) prune_ = true;
    if (next_ && *next_ <= clock_.now()) look_ = true;
    proceed();
}

void ScheduleEngine::proceed() {
    if (!open_ || asking_) return;
    if (rewind_) return ask(Step::rewind);
    if (look_) return ask(Step::look);
    if (prune_) return ask(Step::prune);
    milliseconds sleep = kTick;
    if (next_) {
        const auto until = std::chrono::ceil<milliseconds>(*next_ - clock_.now());
        sleep = std::clamp(until, stuck_ ? kTick : milliseconds{1}, kTick);
    }
    tick_->start(sleep);
}

void ScheduleEngine::ask(Step step) {
    asking_ = true;
    const auto done = [this, alive = alive_](Result<void> done_so) {
        if (!*alive) return;
        asking_ = false;
        if (!done_so) return failed(done_so.error());
        proceed();
    };
    switch (step) {
        case Step::rewind:
            rewind_ = false;
            look_ = true;
            return store_.rewind([this, done, alive = alive_](Result<void> rewound) {
                if (*alive && !rewound) rewind_ = true;
                done(std::move(rewound));
            });
        case Step::prune:
            prune_ = false;
            pruned_at_ = clock_.steady();
            return store_.prune(done);
        case Step::look:
            look_ = false;
            asked_at_ = clock_.now();
            return store_.look(kAtOnce,
                               [this, done, alive = alive_](Result<ScheduleStore::Look> look) {
                                   if (!*alive) return;
                                   if (look) {
                                       looked(*look);
                                       done({});
                                   } else {
                                       look_ = true;
                                       done(pass_on(look));
                                   }
                               });
    }
}

void ScheduleEngine::looked(const ScheduleStore::Look& look) {
    backoff_ = kFirstBackoff;
    next_ = look.next;
    looked_at_ = clock_.steady();
    if (look.seen >= kAtOnce) look_ = true;
    // What was due could not be moved on: no hot loop. When nothing was, next_ is to be met.
    stuck_ = look.seen == 0 && next_ && *next_ <= asked_at_;
    if (look.fired > 0) fired_();
}

// What is due stays due in the store.
void ScheduleEngine::failed(const Failure& why) {
    log_warning("cannot look at the schedules, trying again",
                {{"reason", why.message}, {"in_ms", backoff_.count()}});
    tick_->start(backoff_);
    backoff_ = std::min(backoff_ * 2, kMaxBackoff);
}

}  // namespace berth
