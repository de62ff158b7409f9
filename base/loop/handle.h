// How libuv handles are owned: the handle lives on the heap and outlives its
// owner until its close callback has run.
#pragma once

#include <uv.h>

#include <memory>

namespace berth {

// `H` is a struct whose first member is `uv`, some uv_..._t; uv.data points to H.
struct CloseLater {
    template <typename H>
    void operator()(H* handle) const noexcept {
        uv_close(reinterpret_cast<uv_handle_t*>(&handle->uv),
                 [](uv_handle_t* uv) noexcept { delete static_cast<H*>(uv->data); });
    }
};

template <typename H>
using UvHandle = std::unique_ptr<H, CloseLater>;

}  // namespace berth
