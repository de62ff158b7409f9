#include "control/public/rate_limit.h"

#include <algorithm>
#include <chrono>

namespace berth {

bool RateLimit::take(std::string_view name, SteadyTime now) {
    auto found = found_.find(name);
    if (found == found_.end()) {
        if (by_use_.size() == names_) {
            found_.erase(by_use_.back().name);
            by_use_.pop_back();
        }
        by_use_.push_front({std::string{name}, rule_.burst, now});
        found = found_.emplace(by_use_.front().name, by_use_.begin()).first;
    } else {
        by_use_.splice(by_use_.begin(), by_use_, found->second);
    }
    Bucket& bucket = *found->second;
    bucket.left = left(bucket, now);
    bucket.at = std::max(bucket.at, now);
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
}

double RateLimit::left(const Bucket& bucket, SteadyTime now) const {
    const auto idle = std::max(SteadyTime::duration{}, now - bucket.at);
    return std::min(rule_.burst,
                    bucket.left + rule_.per_second * std::chrono::duration<double>(idle).count());
}

}  // namespace berth
