// What becomes of the instants of a schedule that are due: which fire, which are
// left out and why, and when to look again. Pure; the ledger, the triggers and
// the clock are the caller's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/schedule.h"
#include "model/schedule_settings.h"

namespace berth {

// What is known about a schedule when it is looked at.
struct Due {
    Time settled{};    // everything up to here has its slot
    Time forgotten{};  // nothing up to here fires again
    std::optional<Time> fired;
    std::optional<Time> paused_since;
    std::chrono::microseconds jitter{0};  // of this tenant
    bool paused = false;
    bool busy = false;  // a run of the tenant goes on, or a firing waits already
};

struct Settled {
    std::vector<Slot> slots;  // ascending
    // Of slots that were left out for the pause and now fire after all.
    std::vector<Slot> made_up;
    Time settled{};
    std::optional<Time> paused_since;
    std::optional<Time> nominal;  // the next instant; nothing: there is none
    Time look_at{};               // when to look again
};

// After a longer delay than this an instant counts as missed, not as late.
inline constexpr auto kLateAtMost = std::chrono::seconds{30};
// A schedule that has no next instant, or cannot be read, is looked at again.
inline constexpr auto kLookAgain = std::chrono::hours{24};
// Instants that get a slot of their own in one look; older ones share one.
inline constexpr std::size_t kSlotsAtOnce = 1'000;
// That fire in one look, whatever the policy.
inline constexpr std::size_t kFiringsAtOnce = 100;

Settled settle(const Schedule& schedule, const ScheduleSettings& settings, const Due& due,
               Time now);

// The clock stands before `settled`: it went back. What was left out in the future
// may yet come; what fired has its slot and never fires again.
Time rewound(const Due& due, Time now);

}  // namespace berth
