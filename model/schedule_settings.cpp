#include "model/schedule_settings.h"

#include <algorithm>
#include <array>

#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::seconds kLongestJitter = 24h;
constexpr std::chrono::seconds kLongestWindow = 366 * 24h;

template <typename Enum, std::size_t n>
std::optional<Enum> parse_word(const std::array<Enum, n>& values, std::string_view word) {
    const auto found = std::ranges::find(values, word, [](Enum value) { return to_string(value); });
    if (found == values.end()) return {};
    return *found;
}

Result<void> check_span(std::string_view field, std::chrono::seconds span,
                        std::chrono::seconds most) {
    if (span >= 0s && span <= most) return {};
    return fail_at(FailureKind::unprocessable, std::string{field},
                   "'{}' must be between 0 and {}, not {}", field, most.count(), span.count());
}

}  // namespace

std::string_view to_string(MissedPolicy policy) {
    switch (policy) {
        case MissedPolicy::skip: return "skip";
        case MissedPolicy::one: return "one";
        case MissedPolicy::all: return "all";
    }
    std::abort();
}

std::string_view to_string(WhenBusy when_busy) {
    switch (when_busy) {
        case WhenBusy::queue: return "queue";
        case WhenBusy::skip: return "skip";
    }
    std::abort();
}

std::string_view to_string(SlotOutcome outcome) {
    switch (outcome) {
        case SlotOutcome::fired: return "fired";
        case SlotOutcome::skipped: return "skipped";
    }
    std::abort();
}

std::string_view to_string(SlotReason reason) {
    switch (reason) {
        case SlotReason::none: return "";
        case SlotReason::overlap: return "overlap";
        case SlotReason::pause: return "pause";
        case SlotReason::limit: return "limit";
        case SlotReason::downtime: return "downtime";
        case SlotReason::gap: return "gap";
        case SlotReason::repeated: return "repeated";
        case SlotReason::refused: return "refused";
    }
    std::abort();
}

std::optional<MissedPolicy> parse_missed_policy(std::string_view word) {
    using enum MissedPolicy;
    return parse_word(std::array{skip, one, all}, word);
}

std::optional<WhenBusy> parse_when_busy(std::string_view word) {
    using enum WhenBusy;
    return parse_word(std::array{queue, skip}, word);
}

std::optional<SlotOutcome> parse_slot_outcome(std::string_view word) {
    using enum SlotOutcome;
    return parse_word(std::array{fired, skipped}, word);
}

std::optional<SlotReason> parse_slot_reason(std::string_view word) {
    using enum SlotReason;
    return parse_word(std::array{none, overlap, pause, limit, downtime, gap, repeated, refused},
                      word);
}

Result<Schedule> check_schedule(const ScheduleSettings& settings, Zones& zones, Seconds seconds) {
    if (auto ok = check_span("jitter_seconds", settings.jitter, kLongestJitter); !ok)
        return pass_on(ok);
    if (auto ok = check_span("window_seconds", settings.window, kLongestWindow); !ok)
        return pass_on(ok);
    auto zone = zones.find(settings.zone);
    if (!zone) return fail_at(FailureKind::unprocessable, "zone", "{}", zone.error().message);
    auto schedule = Schedule::parse(settings.text, *zone, settings.rule, seconds);
    if (!schedule)
        return fail_at(FailureKind::unprocessable, "text", "{}", schedule.error().message);
    return schedule;
}

}  // namespace berth
