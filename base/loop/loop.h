// The event loop of a program: one thread owns every object unless its header
// says otherwise. Other threads meet it through post().
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/guarded.h"

namespace berth {

class Loop {
public:
    Loop();  // from here on the program ignores SIGPIPE
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    // Every handle's owner must be gone by now; runs the close callbacks.
    ~Loop();

    uv_loop_t* raw() noexcept { return &loop_; }

    // Until stop(). Thread: the one that made the loop.
    void run();
    void stop() noexcept;

    // Runs `task` on the loop's thread, in the order of the calls. Thread: any.
    void post(std::function<void()> task);
    // Runs `task` on the next turn of the loop, after what is running now has
    // returned. Thread: loop.
    void later(std::function<void()> task) { post(std::move(task)); }

private:
    void run_posted();

    uv_loop_t loop_{};
    uv_async_t wake_{};
    Guarded<std::vector<std::function<void()>>> posted_;
};

}  // namespace berth
