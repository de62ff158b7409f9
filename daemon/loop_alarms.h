// The engines' alarms as timers of the loop.
#pragma once

#include "base/loop/timer.h"
#include "scheduler/ports.h"

namespace berth {

// Thread: loop.
class LoopAlarms final : public Alarms {
public:
    explicit LoopAlarms(Loop& loop) : loop_{loop} {}
    std::unique_ptr<Alarm> make(std::function<void()> on_alarm) override {
        return std::make_unique<TimerAlarm>(loop_, std::move(on_alarm));
    }

private:
    class TimerAlarm final : public Alarm {
    public:
        TimerAlarm(Loop& loop, std::function<void()> on_alarm)
            : timer_{loop, std::move(on_alarm)} {}
        void start(std::chrono::milliseconds delay) override { timer_.start(delay); }

    private:
        Timer timer_;
    };
    Loop& loop_;
};

}  // namespace berth
