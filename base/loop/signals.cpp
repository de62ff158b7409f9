#include "base/loop/signals.h"

#include "base/loop/uv_error.h"

namespace berth {

Signals::Signals(Loop& loop, std::initializer_list<int> signals,
                 std::function<void(int)> on_signal) {
    for (const int signo : signals) {
        auto handle = std::make_unique<Handle>();
        handle->on_signal = on_signal;
        check_uv(uv_signal_init(loop.raw(), &handle->uv), "making a signal handle");
        handle->uv.data = handle.get();
        handles_.emplace_back(handle.release());
        const auto got = [](uv_signal_t* uv, int number) noexcept {
            static_cast<Handle*>(uv->data)->on_signal(number);
        };
        check_uv(uv_signal_start(&handles_.back()->uv, got, signo), "watching signal {}", signo);
    }
}

}  // namespace berth
