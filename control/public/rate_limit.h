// How often something may happen, for each of many names: a token bucket each. Memory is
// bounded: past `names` the one that was idle longest is forgotten. Pure: time is given.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace berth {

class RateLimit {
public:
    // `burst` at once, and `per_second` of them come back.
    struct Rule {
        double per_second = 1;
        double burst = 1;
    };
    RateLimit(Rule rule, std::size_t names) : rule_{rule}, names_{names} {}
    RateLimit(const RateLimit&) = delete;
    RateLimit& operator=(const RateLimit&) = delete;

    // Takes one if there is one; false: it is too often.
    bool take(std::string_view name, SteadyTime now);

    std::size_t size() const { return by_use_.size(); }

private:
    struct Bucket {
        std::string name;
        double left = 0;
        SteadyTime at{};
    };
    double left(const Bucket& bucket, SteadyTime now) const;

    Rule rule_;
    std::size_t names_;
    std::list<Bucket> by_use_;  // the one that was used last is in front
    std::unordered_map<std::string_view, std::list<Bucket>::iterator> found_;
};

}  // namespace berth
