// A zone as the C library sees it, through localtime_r with TZ set: the oracle's
// own road to the rules, so that a mistake of model/tzif cannot hide. Only for
// programs of one thread, since it changes the environment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace berth::oracle {

// Seconds of UTC, [begin, end), with one offset.
struct Run {
    std::int64_t begin, end, offset;
};

class LibcZone {
public:
    explicit LibcZone(const std::string& name);

    std::int64_t offset_at(std::int64_t t) const;
    // The window cut at every change of the offset.
    std::vector<Run> runs(std::int64_t begin, std::int64_t end) const;
    // Every change in the window, found by looking once a day.
    std::vector<std::int64_t> changes(std::int64_t begin, std::int64_t end) const;

private:
    std::vector<std::int64_t> changes(std::int64_t begin, std::int64_t end,
                                      std::int64_t stride) const;
};

}  // namespace berth::oracle
