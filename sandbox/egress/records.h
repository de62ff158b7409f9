// What a run's record says of its connections: each one, up to a limit; a refusal that
// repeats itself once with its number. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "sandbox/ipc/messages.h"

namespace berth::egress {

class Records {
public:
    using Emit = std::function<void(const ipc::Connection&)>;
    explicit Records(Emit emit) : emit_{std::move(emit)} {}

    void add(const ipc::Connection& connection);
    // What was only counted until now.
    void finish();

private:
    using Refusal = std::tuple<std::string, std::string, std::uint32_t, std::string>;
    struct Repeated {
        ipc::Connection last;
        std::uint64_t times = 0;  // after the first, which has its own record
    };
    Emit emit_;
    std::size_t emitted_ = 0;
    std::map<Refusal, Repeated> refusals_;
    std::uint64_t more_ = 0;  // connections past the limit
    std::uint64_t more_refused_ = 0;
    ipc::Connection rest_;  // their sums, and the time of the last
};

}  // namespace berth::egress
