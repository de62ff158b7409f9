#include "scheduler/engine.h"

#include <algorithm>

#include "base/log.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kFirstBackoff = 100ms;
constexpr auto kMaxBackoff = 10'000ms;

}  // namespace

Engine::Engine(Alarms& alarms, RunStore& store, Launcher& launcher, int max_runs)
    : store_{store},
      launcher_{launcher},
      max_runs_{max_runs},
      again_{alarms.make([this] { kick(); })},
      backoff_{kFirstBackoff} {}

void Engine::open() {
    open_ = true;
    kick();
}

void Engine::close() { open_ = false; }

void Engine::kick() {
    kicked_ = true;
    pass();
}

void Engine::ended(RunId run) {
    live_.erase(run);
    kick();
}

void Engine::pass() {
    const int places = max_runs_ - static_cast<int>(live_.size());
    if (!open_ || asking_ || !kicked_ || places <= 0) return;
    asking_ = true;
    kicked_ = false;
    store_.begin_runs(places, [this](Result<RunStore::Begun> begun) {
        asking_ = false;
        if (!begun) {
            log_warning("cannot begin waiting runs, trying again",
                        {{"reason", begun.error().message}, {"in_ms", backoff_.count()}});
            again_->start(backoff_);
            backoff_ = std::min<std::chrono::milliseconds>(backoff_ * 2, kMaxBackoff);
            return;
        }
        backoff_ = kFirstBackoff;
        for (const Run& run : begun->runs) {
            live_.insert(run.id);
            launcher_.launch(run);
        }
        // Also when it says that nobody is left: it is asked until it begins nothing more.
        if (begun->more || !begun->runs.empty()) kicked_ = true;
        if (begun->again) again_->start(*begun->again);
        pass();
    });
}

}  // namespace berth
