#include "model/schedule_preview.h"

#include <algorithm>

namespace berth {
namespace {

using namespace std::chrono;

constexpr seconds kLongestShift = hours{3};
constexpr std::size_t kMostCounted = 10'000;

enum class Direction { forward, back };

std::optional<ChangePreview> next_change(const Zone& zone, UtcSeconds after, Direction wanted) {
    while (const auto at = zone.next_change(after)) {
        ChangePreview change;
        change.at = *at;
        change.before = zone.span_at(*at - 1s).offset;
        change.after = zone.span_at(*at).offset;
        change.correction = abs(change.after - change.before) > kLongestShift;
        if (change.forward() == (wanted == Direction::forward)) return change;
        after = *at;
    }
    return {};
}

// Fills in the concerned times that lie between two local times.
void collect(const Schedule& schedule, LocalSeconds from, LocalSeconds end, ChangePreview& into) {
    if (!schedule.fixed_times()) return;
    const Cron& cron = std::get<Cron>(schedule.pattern());
    std::size_t count = 0;
    for (auto t = cron.next(from, end); t && count < kMostCounted; t = cron.next(*t + 1s, end)) {
        if (count < ChangePreview::kMostShown) into.concerned.push_back(*t);
        ++count;
    }
    into.more = count - into.concerned.size();
}

// Puts the schedule's own choice first.
template <typename Same>
void own_first(std::vector<ChangePreview::Choice>& choices, Same same) {
    std::ranges::stable_partition(choices, same);
}

}  // namespace

std::optional<ChangePreview> next_gap(const Schedule& schedule, UtcSeconds after) {
    auto found = next_change(*schedule.zone(), after, Direction::forward);
    if (!found) return {};
    ChangePreview& change = *found;
    const LocalSeconds begin{change.at.time_since_epoch() + change.before};
    collect(schedule, begin, begin + (change.after - change.before), change);

    ClockRule rule = schedule.rule();
    std::vector<UtcSeconds> shifted;
    for (const auto t : change.concerned)
        shifted.emplace_back(t.time_since_epoch() - change.before);
    if (change.correction || change.concerned.empty()) {
        change.choices = {{rule, {}}};
        return found;
    }
    change.choices = {{{GapRule::skip, rule.overlap}, {}},
                      {{GapRule::at_end, rule.overlap}, {change.at}},
                      {{GapRule::shifted, rule.overlap}, shifted}};
    own_first(change.choices, [&](const auto& choice) { return choice.rule == rule; });
    return found;
}

std::optional<ChangePreview> next_overlap(const Schedule& schedule, UtcSeconds after) {
    auto found = next_change(*schedule.zone(), after, Direction::back);
    if (!found) return {};
    ChangePreview& change = *found;
    const LocalSeconds end{change.at.time_since_epoch() + change.before};
    collect(schedule, end - (change.before - change.after), end, change);

    ClockRule rule = schedule.rule();
    std::vector<UtcSeconds> first, second, both;
    for (const auto t : change.concerned) {
        first.emplace_back(t.time_since_epoch() - change.before);
        second.emplace_back(t.time_since_epoch() - change.after);
    }
    std::ranges::set_union(first, second, std::back_inserter(both));
    if (change.correction || change.concerned.empty()) {
        change.choices = {{rule, both}};
        return found;
    }
    change.choices = {{{rule.gap, OverlapRule::first}, first},
                      {{rule.gap, OverlapRule::second}, second},
                      {{rule.gap, OverlapRule::both}, both}};
    own_first(change.choices, [&](const auto& choice) { return choice.rule == rule; });
    return found;
}

}  // namespace berth
