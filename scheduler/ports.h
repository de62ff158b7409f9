// What the engine needs from others; daemon/ implements it, and later the
// simulator does.
#pragma once

#include <vector>

#include "base/callback.h"
#include "base/error.h"
#include "model/values.h"

namespace berth {

class RunStore {
public:
    virtual ~RunStore() = default;
    // Makes at most `places` runs out of waiting triggers, in one transaction, and
    // hands them back in state `preparing`. Thread: loop; `done` too.
    virtual void begin_runs(int places, Callback<void(Result<std::vector<Run>>)> done) = 0;
};

class Launcher {
public:
    virtual ~Launcher() = default;
    // Sees a run in state `preparing` through to its final state, and then calls
    // Engine::ended. Thread: loop.
    virtual void launch(const Run& run) = 0;
};

}  // namespace berth
