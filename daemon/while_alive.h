// For who asks the store or the runner and may be gone before the answer.
#pragma once

#include <memory>
#include <utility>

namespace berth {

// A member; what it wraps does nothing once it is destroyed.
class WhileAlive {
public:
    WhileAlive() = default;
    WhileAlive(const WhileAlive&) = delete;
    WhileAlive& operator=(const WhileAlive&) = delete;
    ~WhileAlive() { *alive_ = false; }

    template <typename Call>
    auto operator()(Call call) const {
        return [alive = alive_, call = std::move(call)](auto&&... answer) mutable {
            if (*alive) call(std::forward<decltype(answer)>(answer)...);
        };
    }

private:
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
