// libuv's return codes as SystemError.
#pragma once

#include <uv.h>

#include "base/error.h"

namespace berth {

template <typename... Args>
int check_uv(int rc, fmt::format_string<Args...> doing, Args&&... args) {
    if (rc >= 0) return rc;
    throw SystemError{-rc, fmt::format(doing, std::forward<Args>(args)...)};
}

}  // namespace berth
