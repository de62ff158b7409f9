#include "base/loop/timer.h"

#include <utility>

#include "base/loop/uv_error.h"

namespace berth {

Timer::Timer(Loop& loop, std::function<void()> on_fire) {
    auto handle = std::make_unique<Handle>();
    handle->on_fire = std::move(on_fire);
    check_uv(uv_timer_init(loop.raw(), &handle->uv), "making a timer");
    handle->uv.data = handle.get();
    handle_.reset(handle.release());
}

void Timer::start(std::chrono::milliseconds delay) {
    const auto fire = [](uv_timer_t* uv) noexcept { static_cast<Handle*>(uv->data)->on_fire(); };
    uv_update_time(handle_->uv.loop);  // the loop's cached time may be a long callback old
    check_uv(uv_timer_start(&handle_->uv, fire, static_cast<std::uint64_t>(delay.count()),
                            /*repeat=*/0),
             "starting a timer");
}

void Timer::stop() noexcept { uv_timer_stop(&handle_->uv); }

bool Timer::armed() const noexcept {
    return uv_is_active(reinterpret_cast<const uv_handle_t*>(&handle_->uv)) != 0;
}

}  // namespace berth
