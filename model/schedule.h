// When a schedule fires: a text, a zone, and the rule for days on which the clocks
// change. All pure: the next firing follows from the text and an instant, never
// from when something last ran, so it cannot drift.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "model/cron.h"
#include "model/interval.h"
#include "model/zone.h"

namespace berth {

// What becomes of a fixed time that the clocks jump over: left out, made up when
// the gap ends (Vixie's rule), or later by the length of the gap.
enum class GapRule : std::uint8_t { skip, at_end, shifted };
// Which of the two times that the clocks show it counts.
enum class OverlapRule : std::uint8_t { first, second, both };

// Holds for fixed times only: a cron text whose minute or hour begins with `*`
// follows the clock, and intervals count elapsed time. A change of more than
// three hours is a correction: nothing is made up and nothing left out.
// docs/decisions/020-clock-changes.md.
struct ClockRule {
    GapRule gap = GapRule::at_end;
    OverlapRule overlap = OverlapRule::first;
    bool operator==(const ClockRule&) const = default;
};

std::string_view to_string(GapRule rule);
std::string_view to_string(OverlapRule rule);
std::optional<GapRule> parse_gap_rule(std::string_view word);
std::optional<OverlapRule> parse_overlap_rule(std::string_view word);

using Pattern = std::variant<Cron, Interval>;

// Cron text or interval. Texts longer than limits::kScheduleBytes are refused.
[[nodiscard]] tl::expected<Pattern, TextError> parse_pattern(std::string_view text,
                                                             Seconds seconds);
// `cannot read schedule '61 * * * *': ... at character 1`; unprocessable.
Failure to_failure(const TextError& error, std::string_view text);

// Why a firing is where it is.
enum class FiringKind : std::uint8_t {
    regular,
    gap_made_up,  // its time was jumped over; at the gap's end, or shifted
    repeated      // the second time that the clocks show it
};

// `at` is the nominal instant: with the schedule's id, the firing's identity.
struct Firing {
    UtcSeconds at;
    FiringKind kind = FiringKind::regular;
    bool operator==(const Firing&) const = default;
};

// A time that the rule left out, for the ledger.
struct Omission {
    enum class Reason : std::uint8_t { gap, overlap };
    UtcSeconds at;  // for a gap: as if the clocks had not changed
    Reason reason;
    bool operator==(const Omission&) const = default;
};

class Schedule {
public:
    Schedule(Pattern pattern, ZonePtr zone, ClockRule rule = {});

    // The text, all checks included.
    static Result<Schedule> parse(std::string_view text, ZonePtr zone, ClockRule rule = {},
                                  Seconds seconds = Seconds::refused);

    // The first firing strictly after an instant. Nothing when there is none in the
    // next 40 years, after which every calendar has come round: it will never fire.
    std::optional<Firing> next(UtcSeconds after) const;
    // All in (after, until], ascending, at most `most`.
    std::vector<Firing> firings(UtcSeconds after, UtcSeconds until, std::size_t most) const;
    // What the rule left out in (after, until], ascending, at most `most`.
    std::vector<Omission> omissions(UtcSeconds after, UtcSeconds until, std::size_t most) const;

    // The shortest time from one firing to the next, whatever clocks do: looked for
    // among a thousand in ten years. Nothing when it fires less than twice in them.
    std::optional<std::chrono::seconds> shortest_interval() const;
    // True when the rule for clock changes says something to this schedule.
    bool fixed_times() const;
    const Pattern& pattern() const { return pattern_; }
    const ZonePtr& zone() const { return zone_; }
    ClockRule rule() const { return rule_; }

private:
    Pattern pattern_;
    ZonePtr zone_;
    ClockRule rule_;
};

}  // namespace berth
