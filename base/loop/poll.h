#pragma once

#include <functional>

#include "base/fd.h"
#include "base/loop/handle.h"
#include "base/loop/loop.h"

namespace berth {

// Readiness of a descriptor that libuv has no stream for: SEQPACKET sockets,
// pidfds, output pipes read at our own pace. Does not own the descriptor, which
// must stay open longer than this. Thread: loop.
class Poll {
public:
    enum Event : int { readable = UV_READABLE, writable = UV_WRITABLE, hung_up = UV_DISCONNECT };

    // `on_ready(events)` gets the ready bits; on a poll error all bits are set, so
    // that the reader finds the error by reading.
    Poll(Loop& loop, int fd, std::function<void(int)> on_ready);

    void want(int events);  // 0: none
    int wanted() const noexcept { return wanted_; }

private:
    struct Handle {
        uv_poll_t uv;
        std::function<void(int)> on_ready;
    };
    UvHandle<Handle> handle_;
    int wanted_ = 0;
};

}  // namespace berth
