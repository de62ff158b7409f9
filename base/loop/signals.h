#pragma once

#include <functional>
#include <vector>

#include "base/loop/handle.h"
#include "base/loop/loop.h"

namespace berth {

// Signals as events on the loop. Thread: loop.
class Signals {
public:
    Signals(Loop& loop, std::initializer_list<int> signals, std::function<void(int)> on_signal);

private:
    struct Handle {
        uv_signal_t uv;
        std::function<void(int)> on_signal;
    };
    std::vector<UvHandle<Handle>> handles_;
};

}  // namespace berth
