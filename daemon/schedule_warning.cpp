#include "daemon/schedule_warning.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/runs.h"
#include "store/schedules.h"

namespace berth {
namespace {

constexpr std::int64_t kLooked = 20;  // of the newest firings
constexpr int kFewest = 5;            // too few to tell a habit from an accident

}  // namespace

std::string schedule_warning(Db& db, const TenantSchedule& schedule) {
    if (!schedule.enabled) return {};
    int fired = 0, shared = 0;
    std::optional<Run> newest;
    std::chrono::microseconds interval{0};
    std::optional<Time> after;
    for (const SlotView& view : slot_history(db, schedule.id, {}, kLooked)) {
        if (after) interval = std::max(interval, *after - view.slot.nominal);
        after = view.slot.nominal;
        if (view.slot.outcome != SlotOutcome::fired || !view.run) continue;
        ++fired;
        if (view.bundled) ++shared;
        if (newest) continue;
        if (auto run = get_run(db, *view.run); run && run->completed) newest = std::move(*run);
    }
    if (fired < kFewest || shared * 4 < fired || !newest) return {};
    const std::string how_many =
        fmt::format("{} of its last {} firings shared a run with an earlier one", shared, fired);
    const auto took = *newest->completed - newest->created;
    if (took > interval)
        return fmt::format(
            "{}: its last run took {} s; choose a longer interval, or make it faster", how_many,
            std::chrono::round<std::chrono::seconds>(took).count());
    return how_many + ": they waited for a place; see max_runs, and the caps of its policy";
}

}  // namespace berth
