#include "base/loop/loop.h"

#include <signal.h>

#include <utility>

#include "base/assert.h"
#include "base/loop/uv_error.h"

namespace berth {

Loop::Loop() {
    // A peer that has left is an error of write(2), not the end of the program.
    ::signal(SIGPIPE, SIG_IGN);
    check_uv(uv_loop_init(&loop_), "making an event loop");
    wake_.data = this;
    check_uv(uv_async_init(
                 &loop_, &wake_,
                 [](uv_async_t* wake) noexcept { static_cast<Loop*>(wake->data)->run_posted(); }),
             "making the loop's wake-up");
}

Loop::~Loop() {
    // What was posted and never ran may own handles: it goes while they can be closed.
    for (bool more = true; more;) {
        std::vector<std::function<void()>> dropped;
        posted_.with([&](auto& waiting) { dropped.swap(waiting); });
        more = !dropped.empty();
    }
    uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);  // the close callbacks of all owners that are gone
    BERTH_ASSERT(uv_loop_close(&loop_) == 0);
}

void Loop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }
void Loop::stop() noexcept { uv_stop(&loop_); }

void Loop::post(std::function<void()> task) {
    posted_.with([&](auto& tasks) { tasks.push_back(std::move(task)); });
    uv_async_send(&wake_);
}

void Loop::run_posted() {
    std::vector<std::function<void()>> tasks;
    posted_.with([&](auto& waiting) { tasks.swap(waiting); });
    for (auto& task : tasks)
        task();
}

}  // namespace berth
