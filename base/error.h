// The two kinds of failure. Unexpected: a call that should work did not; thrown
// as SystemError and caught where a request, a run or a tick is begun.
// Expected: bad input, not found, conflict; returned as Result, and the caller
// branches on it at once.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace berth {

// Thrown when something that should work did not.
class SystemError : public std::runtime_error {
public:
    SystemError(int err, std::string_view doing)
        : std::runtime_error{fmt::format("{}: {}", doing, std::generic_category().message(err))},
          err_{err} {}
    int err() const noexcept { return err_; }

private:
    int err_;
};

// check(::fsync(fd), "syncing '{}'", path): passes a good return value through.
template <typename Rc, typename... Args>
Rc check(Rc rc, fmt::format_string<Args...> doing, Args&&... args) {
    if (rc >= 0) return rc;
    const int err = errno;  // before formatting can change it
    throw SystemError{err, fmt::format(doing, std::forward<Args>(args)...)};
}

// One kind per way of reacting to a refusal. `invalid` is input that cannot be
// read at all (400); `unprocessable` is well-formed input that breaks a rule of
// the product (422).
enum class FailureKind {
    invalid,
    unprocessable,
    denied,
    not_found,
    conflict,
    over_limit,
    busy,
    unavailable
};

// An answer the caller must deal with.
struct Failure {
    FailureKind kind;
    std::string message;  // shown to a person as it is
    std::string where;    // the field, file position or argument at fault; may be empty

    bool operator==(const Failure&) const = default;
};

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Failure> {
    using tl::expected<T, Failure>::expected;
};

template <typename... Args>
tl::unexpected<Failure> fail(FailureKind kind, fmt::format_string<Args...> what, Args&&... args) {
    return tl::unexpected<Failure>{
        Failure{kind, fmt::format(what, std::forward<Args>(args)...), {}}};
}

// As fail(), for a refusal that belongs to one field or place.
template <typename... Args>
tl::unexpected<Failure> fail_at(FailureKind kind, std::string where,
                                fmt::format_string<Args...> what, Args&&... args) {
    return tl::unexpected<Failure>{
        Failure{kind, fmt::format(what, std::forward<Args>(args)...), std::move(where)}};
}

// Hands a refusal on: `if (!x) return pass_on(x);`
template <typename T>
tl::unexpected<Failure> pass_on(Result<T>& failed) {
    return tl::unexpected<Failure>{std::move(failed).error()};
}

}  // namespace berth
