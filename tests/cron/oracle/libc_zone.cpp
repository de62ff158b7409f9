#include "tests/cron/oracle/libc_zone.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

namespace berth::oracle {

LibcZone::LibcZone(const std::string& name) {
    if (::setenv("TZ", (":" + name).c_str(), /*replace=*/1) != 0)
        throw std::runtime_error{"cannot set TZ"};
    ::tzset();
}

std::int64_t LibcZone::offset_at(std::int64_t t) const {
    const std::time_t at = t;
    std::tm local{};
    if (::localtime_r(&at, &local) == nullptr) throw std::runtime_error{"localtime_r failed"};
    return local.tm_gmtoff;
}

std::vector<std::int64_t> LibcZone::changes(std::int64_t begin, std::int64_t end,
                                            std::int64_t stride) const {
    std::vector<std::int64_t> found;
    for (std::int64_t at = begin; at < end; at += stride) {
        std::int64_t low = at, high = std::min(at + stride, end);
        const auto before = offset_at(low);
        if (offset_at(high) == before) continue;
        while (high - low > 1) {
            const auto middle = low + (high - low) / 2;
            (offset_at(middle) == before ? low : high) = middle;
        }
        found.push_back(high);
    }
    return found;
}

std::vector<std::int64_t> LibcZone::changes(std::int64_t begin, std::int64_t end) const {
    return changes(begin, end, 86'400);
}

std::vector<Run> LibcZone::runs(std::int64_t begin, std::int64_t end) const {
    std::vector<Run> runs;
    for (const auto change : changes(begin, end, 1800)) {
        if (change >= end) break;
        runs.push_back({begin, change, offset_at(begin)});
        begin = change;
    }
    runs.push_back({begin, end, offset_at(begin)});
    return runs;
}

}  // namespace berth::oracle
