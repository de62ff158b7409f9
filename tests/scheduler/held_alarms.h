// Alarms that ring when the test says so, and a clock it turns.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "scheduler/ports.h"

namespace berth::test {

class HeldAlarms final : public Alarms {
public:
    std::unique_ptr<Alarm> make(std::function<void()> on_alarm) override {
        auto state = std::make_shared<State>();
        state->ring = std::move(on_alarm);
        states_.push_back(state);
        return std::make_unique<Held>(*this, state);
    }

    // Lets time pass; how many alarms rang.
    int pass(std::chrono::milliseconds time) {
        const auto until = now_ + time;
        int rang = 0;
        for (;;) {
            auto next = earliest();
            if (!next || *next->at > until) break;
            now_ = *next->at;
            next->at.reset();
            ++rang;
            next->ring();
        }
        now_ = until;
        return rang;
    }
    std::chrono::milliseconds now() const { return now_; }
    // How long until the next one rings.
    std::optional<std::chrono::milliseconds> until_next() const {
        const auto next = earliest();
        if (!next) return {};
        return *next->at - now_;
    }

private:
    struct State {
        std::function<void()> ring;
        std::optional<std::chrono::milliseconds> at;
    };
    class Held final : public Alarm {
    public:
        Held(HeldAlarms& alarms, std::shared_ptr<State> state)
            : alarms_{alarms}, state_{std::move(state)} {}
        ~Held() override { state_->at.reset(); }
        void start(std::chrono::milliseconds delay) override { state_->at = alarms_.now_ + delay; }

    private:
        HeldAlarms& alarms_;
        std::shared_ptr<State> state_;
    };
    std::shared_ptr<State> earliest() const {
        std::shared_ptr<State> first;
        for (const auto& state : states_)
            if (state->at && (!first || *state->at < *first->at)) first = state;
        return first;
    }

    std::chrono::milliseconds now_{0};
    std::vector<std::shared_ptr<State>> states_;
};

class TurnedClock final : public Clock {
public:
    explicit TurnedClock(const HeldAlarms& alarms) : alarms_{alarms} {}
    Time now() const override { return wall_ + alarms_.now(); }
    SteadyTime steady() const override { return SteadyTime{alarms_.now()}; }
    void step(std::chrono::microseconds by) { wall_ += by; }

private:
    const HeldAlarms& alarms_;
    Time wall_ = time_from_micros(1'800'000'000'000'000);  // 2027-01-15 08:00:00 UTC
};

}  // namespace berth::test
