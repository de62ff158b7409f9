#include "base/loop/poll.h"

#include <utility>

#include "base/loop/uv_error.h"

namespace berth {

Poll::Poll(Loop& loop, int fd, std::function<void(int)> on_ready) {
    auto handle = std::make_unique<Handle>();
    handle->on_ready = std::move(on_ready);
    check_uv(uv_poll_init(loop.raw(), &handle->uv, fd), "watching descriptor {}", fd);
    handle->uv.data = handle.get();
    handle_.reset(handle.release());
}

void Poll::want(int events) {
    if (events == wanted_) return;
    wanted_ = events;
    if (events == 0) {
        uv_poll_stop(&handle_->uv);
        return;
    }
    const auto ready = [](uv_poll_t* uv, int status, int got) noexcept {
        constexpr int kAll = readable | writable | hung_up;
        static_cast<Handle*>(uv->data)->on_ready(status < 0 ? kAll : got);
    };
    check_uv(uv_poll_start(&handle_->uv, events, ready), "watching a descriptor");
}

}  // namespace berth
