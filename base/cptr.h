// CPtr<T, free>: the owner for handles of C libraries.
#pragma once

#include <memory>

namespace berth {

template <auto Free>
struct CDeleter {
    template <typename T>
    void operator()(T* handle) const noexcept {
        Free(handle);
    }
};

template <typename T, auto Free>
using CPtr = std::unique_ptr<T, CDeleter<Free>>;

}  // namespace berth
