// What the next clock changes will do to a schedule, under its own rule and under
// the others, so that a person can choose with the outcome in sight.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "model/schedule.h"

namespace berth {

struct ChangePreview {
    UtcSeconds at;
    std::chrono::seconds before{0}, after{0};  // the offsets from UTC
    bool correction = false;                   // more than three hours

    // Times of the schedule, by the clocks, that are jumped over or come twice;
    // none when the schedule follows the clock. At most kMostShown, the rest is counted.
    static constexpr std::size_t kMostShown = 4;
    std::vector<LocalSeconds> concerned;
    std::size_t more = 0;

    // When the concerned times fire under each choice of the rule that matters here,
    // the schedule's own first. Of a correction only the own one.
    struct Choice {
        ClockRule rule;
        std::vector<UtcSeconds> fires;
    };
    std::vector<Choice> choices;

    bool forward() const { return after > before; }
};

// The next change in each direction after an instant; nothing when the zone's
// clocks do not change any more.
std::optional<ChangePreview> next_gap(const Schedule& schedule, UtcSeconds after);
std::optional<ChangePreview> next_overlap(const Schedule& schedule, UtcSeconds after);

}  // namespace berth
