// Callback<void(int)>: a move-only function that is called exactly once, and
// never before the call that took it has returned.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "base/assert.h"

namespace berth {

template <typename Sig>
class Callback;

template <typename... Args>
class Callback<void(Args...)> {
public:
    Callback() noexcept = default;
    template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Callback> && std::is_invocable_v<F&, Args...>)
        Callback(F&& f)  // NOLINT(bugprone-forwarding-reference-overload): constrained above
        : call_{std::make_unique<Held<std::decay_t<F>>>(std::forward<F>(f))} {}

    explicit operator bool() const noexcept { return call_ != nullptr; }

    // Empties itself first, so that the callee may drop what owned it.
    void operator()(Args... args) {
        BERTH_ASSERT(call_ != nullptr);
        const auto call = std::move(call_);
        call->run(std::forward<Args>(args)...);
    }

private:
    struct Call {
        virtual ~Call() = default;
        virtual void run(Args... args) = 0;
    };
    template <typename F>
    struct Held final : Call {
        template <typename G>
        explicit Held(G&& g) : f{std::forward<G>(g)} {}
        void run(Args... args) override { f(std::forward<Args>(args)...); }
        F f;
    };

    std::unique_ptr<Call> call_;
};

}  // namespace berth
