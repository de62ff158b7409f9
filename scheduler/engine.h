// Starts runs as long as something waits and a place is free. Asks on every
// event, carries the answer out, decides nothing itself (bundle.h and pick.h do).
#pragma once

#include <chrono>
#include <memory>
#include <set>

#include "scheduler/ports.h"

namespace berth {

// Thread: loop.
class Engine {
public:
    Engine(Alarms& alarms, RunStore& store, Launcher& launcher, int max_runs);

    // Until then kick() only takes note: at start the runner is not there yet.
    void open();
    void close();  // no new runs; those that live go on
    // Something may have become startable. Cheap; many kicks are one pass.
    void kick();
    // It lives already: an earlier process launched it.
    void adopt(RunId run) { live_.insert(run); }
    // A run that was launched has reached its final state, or waits again.
    void ended(RunId run);

    std::size_t live() const { return live_.size(); }

private:
    void pass();

    RunStore& store_;
    Launcher& launcher_;
    const int max_runs_;
    bool open_ = false;
    bool asking_ = false;  // a pass is with the store
    bool kicked_ = false;  // something changed since it was asked
    std::set<RunId> live_;
    std::unique_ptr<Alarm> again_;  // the store could not answer, or a cap makes room then
    std::chrono::milliseconds backoff_;
};

}  // namespace berth
