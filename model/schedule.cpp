#include "model/schedule.h"

#include <algorithm>

#include "base/overloaded.h"
#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono;

constexpr UtcSeconds kEarliest = sys_days{year{1} / 1 / 1};
constexpr UtcSeconds kLatest = sys_days{year{9999} / 1 / 1};
// A 29 February falls on a given weekday after 40 years at the latest (2088, 2128).
constexpr seconds kSearch = days{40 * 366};
constexpr seconds kLongestShift = hours{3};  // as Vixie: more is a correction
// No change of an offset is larger, so what one change does is over after this.
constexpr seconds kLongestCorrection = hours{51};

bool is_gap(seconds shift) { return shift > 0s && shift <= kLongestShift; }
bool is_overlap(seconds shift) { return shift < 0s && -shift <= kLongestShift; }

// A span of a zone, with how far the clocks were put forward at both its ends.
struct Stretch {
    ZoneSpan span;
    seconds shift_in{0};
    seconds shift_out{0};

    LocalSeconds first() const { return span.to_local(span.begin); }
    LocalSeconds last() const { return span.to_local(span.end); }
    // The local times that the clocks jumped over or show again at the begin.
    LocalSeconds gap_begin() const { return first() - shift_in; }
    LocalSeconds repeated_end() const { return first() - shift_in; }
    // A time in the gap as if the clocks had not changed.
    UtcSeconds unchanged(LocalSeconds t) const { return span.to_utc(t) + shift_in; }
};

// The spans of a zone one after the other, cut to the years that schedules know.
class Stretches {
public:
    Stretches(const Zone& zone, UtcSeconds from) : zone_{zone} {
        at_.span = cut(zone.span_at(std::max(from, kEarliest)));
        if (at_.span.begin > kEarliest)
            at_.shift_in = at_.span.offset - zone.span_at(at_.span.begin - 1s).offset;
        look_ahead();
    }
    const Stretch& operator*() const { return at_; }
    const Stretch* operator->() const { return &at_; }
    // False at the end of time.
    bool advance() {
        if (at_.span.end >= kLatest) return false;
        at_ = {next_, at_.shift_out, {}};
        look_ahead();
        return true;
    }

private:
    static ZoneSpan cut(ZoneSpan span) {
        span.begin = std::max(span.begin, kEarliest);
        span.end = std::min(span.end, kLatest);
        return span;
    }
    void look_ahead() {
        if (at_.span.end >= kLatest) return;
        next_ = cut(zone_.span_at(at_.span.end));
        at_.shift_out = next_.offset - at_.span.offset;
    }

    const Zone& zone_;
    Stretch at_;
    ZoneSpan next_;
};

// A cron text under a rule for clock changes.
struct Ruled {
    const Cron& cron;
    ClockRule rule;

    bool fixed() const { return !cron.clock_star; }

    // The first time at or after `from` and before `end` that the clocks show in
    // this stretch and that counts.
    std::optional<Firing> regular(const Stretch& stretch, UtcSeconds from, UtcSeconds end) const {
        from = std::max(from, stretch.span.begin);
        end = std::min(end, stretch.span.end);
        if (from >= end) return {};
        LocalSeconds first = stretch.span.to_local(from);
        LocalSeconds last = stretch.span.to_local(end);
        const bool repeats = is_overlap(stretch.shift_in);
        if (fixed() && repeats && rule.overlap == OverlapRule::first)
            first = std::max(first, stretch.repeated_end());
        if (fixed() && is_overlap(stretch.shift_out) && rule.overlap == OverlapRule::second)
            last = std::min(last, stretch.last() + stretch.shift_out);
        const auto found = cron.next(first, last);
        if (!found) return {};
        const bool again = repeats && *found < stretch.repeated_end();
        return Firing{stretch.span.to_utc(*found),
                      again ? FiringKind::repeated : FiringKind::regular};
    }

    // The first firing at or after `from` for what the clocks jumped over at its begin.
    std::optional<Firing> made_up(const Stretch& stretch, UtcSeconds from) const {
        if (!fixed() || !is_gap(stretch.shift_in)) return {};
        switch (rule.gap) {
            case GapRule::skip: return {};
            case GapRule::at_end:
                if (from > stretch.span.begin || !cron.next(stretch.gap_begin(), stretch.first()))
                    return {};
                return Firing{stretch.span.begin, FiringKind::gap_made_up};
            case GapRule::shifted: {
                const auto first = stretch.span.to_local(from) - stretch.shift_in;
                const auto found = cron.next(std::max(first, stretch.gap_begin()), stretch.first());
                if (!found) return {};
                return Firing{stretch.unchanged(*found), FiringKind::gap_made_up};
            }
        }
        std::abort();
    }

    std::optional<Firing> next(const Zone& zone, UtcSeconds from) const {
        std::optional<Firing> best;
        const auto end = std::min(from + kSearch, kLatest);
        // What a change just before `from` made up may still be ahead.
        Stretches stretches{zone, from - kLongestShift};
        do {
            if (stretches->span.begin >= (best ? best->at : end)) return best;
            for (const auto& found : {regular(*stretches, from, end), made_up(*stretches, from)})
                if (found && (!best || found->at < best->at)) best = found;
        } while (stretches.advance());
        return best;
    }

    // Calls visit(instant, reason) for what the rule leaves out around one stretch.
    template <typename Visit>
    void each_omission(const Stretch& stretch, Visit visit) const {
        if (!fixed()) return;
        const auto each = [&](LocalSeconds from, LocalSeconds end, auto take) {
            for (auto t = cron.next(from, end); t; t = cron.next(*t + 1s, end))
                if (!take(*t)) return;
        };
        const auto shift = stretch.shift_in;
        if (shift > kLongestShift || (is_gap(shift) && rule.gap == GapRule::skip))
            each(stretch.gap_begin(), stretch.first(), [&](LocalSeconds t) {
                return visit(stretch.unchanged(t), Omission::Reason::gap);
            });
        const auto by_overlap = [&](LocalSeconds t) {
            return visit(stretch.span.to_utc(t), Omission::Reason::overlap);
        };
        if (is_overlap(shift) && rule.overlap == OverlapRule::first)
            each(stretch.first(), std::min(stretch.repeated_end(), stretch.last()), by_overlap);
        if (is_overlap(stretch.shift_out) && rule.overlap == OverlapRule::second)
            each(std::max(stretch.first(), stretch.last() + stretch.shift_out), stretch.last(),
                 by_overlap);
    }
};

}  // namespace

Schedule::Schedule(Pattern pattern, ZonePtr zone, ClockRule rule)
    : pattern_{pattern}, zone_{std::move(zone)}, rule_{rule} {}

Result<Schedule> Schedule::parse(std::string_view text, ZonePtr zone, ClockRule rule,
                                 Seconds seconds) {
    const auto pattern = parse_pattern(text, seconds);
    if (!pattern) return tl::unexpected<Failure>{to_failure(pattern.error(), text)};
    return Schedule{*pattern, std::move(zone), rule};
}

std::optional<Firing> Schedule::next(UtcSeconds after) const {
    if (after >= kLatest) return {};
    const auto from = std::max(after, kEarliest) + 1s;
    return std::visit(
        overloaded{
            [&](const Cron& cron) {
                return Ruled{cron, rule_}.next(*zone_, from);
            },
            [&](const Interval& interval) {
                return std::optional{Firing{interval.next(from - 1s), FiringKind::regular}};
            },
        },
        pattern_);
}

std::vector<Firing> Schedule::firings(UtcSeconds after, UtcSeconds until, std::size_t most) const {
    std::vector<Firing> found;
    while (found.size() < most) {
        const auto firing = next(after);
        if (!firing || firing->at > until) break;
        found.push_back(*firing);
        after = firing->at;
    }
    return found;
}

std::vector<Omission> Schedule::omissions(UtcSeconds after, UtcSeconds until,
                                          std::size_t most) const {
    const auto* cron = std::get_if<Cron>(&pattern_);
    if (cron == nullptr) return {};
    after = std::clamp(after, kEarliest, kLatest);
    until = std::min(until, kLatest);
    std::vector<Omission> found;
    Stretches stretches{*zone_, after - kLongestCorrection};
    do {
        if (stretches->span.begin > until || found.size() >= most) break;
        Ruled{*cron, rule_}.each_omission(*stretches, [&](UtcSeconds at, Omission::Reason reason) {
            if (at > after && at <= until) found.push_back({at, reason});
            return at <= until && found.size() < most;
        });
    } while (stretches.advance());
    std::ranges::sort(found, {}, &Omission::at);
    return found;
}

std::optional<std::chrono::seconds> Schedule::shortest_interval() const {
    constexpr UtcSeconds kFrom{std::chrono::sys_days{std::chrono::January / 1 / 2024}};
    const Schedule steady{pattern_, ZonePtr{ZonePtr{}, &Zone::utc()}};
    const auto found = steady.firings(kFrom, kFrom + std::chrono::years{10}, 1'000);
    std::optional<std::chrono::seconds> shortest;
    for (std::size_t i = 1; i < found.size(); ++i) {
        const std::chrono::seconds interval = found[i].at - found[i - 1].at;
        shortest = std::min(shortest.value_or(interval), interval);
    }
    return shortest;
}

bool Schedule::fixed_times() const {
    const auto* cron = std::get_if<Cron>(&pattern_);
    return cron != nullptr && !cron->clock_star;
}

tl::expected<Pattern, TextError> parse_pattern(std::string_view text, Seconds seconds) {
    if (!looks_like_interval(text)) return parse_cron(text, seconds);
    return parse_interval(text, seconds);
}

Failure to_failure(const TextError& error, std::string_view text) {
    const auto before = text.substr(0, error.offset);
    const auto characters =  // the bytes that begin one
        std::ranges::count_if(before, [](char c) { return (c & 0xC0) != 0x80; });
    return {FailureKind::unprocessable,
            fmt::format("cannot read schedule '{}': {} (at character {})",
                        is_utf8(text) ? printable(text, limits::kScheduleBytes) : "...",
                        error.message, characters + 1),
            {}};
}

}  // namespace berth
