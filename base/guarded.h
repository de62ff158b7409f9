// Guarded<T>: a value that can be reached only under its lock.
#pragma once

#include <mutex>
#include <utility>

namespace berth {

template <typename T>
class Guarded {
public:
    template <typename... Args>
    explicit Guarded(Args&&... args) : value_{std::forward<Args>(args)...} {}

    // Runs f(value) under the lock and hands back what it returns.
    template <typename F>
    decltype(auto) with(F&& f) {
        const std::lock_guard lock{mutex_};
        return std::forward<F>(f)(value_);
    }

private:
    std::mutex mutex_;
    T value_;
};

}  // namespace berth
