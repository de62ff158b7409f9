#include "tests/sim/world.h"

#include <iostream>

namespace berth::sim {
namespace {

class SimAlarm final : public Alarm {
public:
    SimAlarm(World& world, std::function<void()> ring)
        : world_{world}, state_{std::make_shared<State>()} {
        state_->ring = std::move(ring);
    }
    ~SimAlarm() override { state_->round = 0; }

    void start(std::chrono::milliseconds delay) override {
        const std::uint64_t round = ++rounds_;
        state_->round = round;
        world_.after(delay, [state = state_, round] {
            if (state->round != round) return;  // started anew, or gone
            state->round = 0;
            state->ring();
        });
    }

private:
    struct State {
        std::function<void()> ring;
        std::uint64_t round = 0;
    };
    World& world_;
    std::shared_ptr<State> state_;
    std::uint64_t rounds_ = 0;
};

}  // namespace

void World::after(microseconds delay, std::function<void()> event) {
    events_.emplace(std::pair{steady_ + std::max(delay, microseconds{0}), ++events_made_},
                    std::move(event));
}

bool World::step() {
    if (events_.empty()) return false;
    auto first = events_.extract(events_.begin());
    steady_ = first.key().first;
    first.mapped()();
    return true;
}

void World::log(std::string_view what, std::int64_t a, std::int64_t b) {
    const auto mix = [this](std::uint64_t value) { hash_ = (hash_ ^ value) * 1099511628211U; };
    mix(static_cast<std::uint64_t>(steady_.count()));
    for (const char c : what)
        mix(static_cast<unsigned char>(c));
    mix(static_cast<std::uint64_t>(a));
    mix(static_cast<std::uint64_t>(b));
    if (tells)
        std::cout << to_rfc3339(wall()) << ' ' << steady_.count() << ' ' << what << ' ' << a << ' '
                  << b << '\n';
}

void World::wrong(std::string what) {
    log("wrong: " + what);
    wrongs_.push_back(std::move(what));
}

std::unique_ptr<Alarm> SimAlarms::make(std::function<void()> on_alarm) {
    return std::make_unique<SimAlarm>(world_, std::move(on_alarm));
}

}  // namespace berth::sim
