// A tenant's schedule as people set it, what becomes of instants that were
// missed, and the ledger of what became of each. Pure values; when a text fires
// is schedule.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"
#include "model/schedule.h"

namespace berth {

using ScheduleId = Id<struct ScheduleTag>;

// What is done about instants that passed while nothing could fire: the daemon
// was down, the clock jumped, the tenant was paused.
enum class MissedPolicy : std::uint8_t {
    skip,
    one,  // the newest of them, once
    all
};
// What an instant does while the tenant's last run still goes on, or waits.
enum class WhenBusy : std::uint8_t {
    queue,  // wait, and be bundled (pandium-contract.md 5.2)
    skip
};

std::string_view to_string(MissedPolicy policy);
std::string_view to_string(WhenBusy when_busy);
std::optional<MissedPolicy> parse_missed_policy(std::string_view word);
std::optional<WhenBusy> parse_when_busy(std::string_view word);

struct ScheduleSettings {
    std::string text;  // cron text or interval; empty: none
    std::string zone = "UTC";
    ClockRule rule;
    std::chrono::seconds jitter{0};  // spread over so long, the same for a tenant every time
    MissedPolicy missed = MissedPolicy::one;
    std::chrono::seconds window{24 * 3600};  // what was missed longer ago is left out
    WhenBusy when_busy = WhenBusy::queue;
    bool operator==(const ScheduleSettings&) const = default;
};

// The text, the zone and the spans of time. unprocessable at the field at fault,
// with the place in the text.
Result<Schedule> check_schedule(const ScheduleSettings& settings, Zones& zones,
                                Seconds seconds = Seconds::refused);

enum class SlotOutcome : std::uint8_t { fired, skipped };
enum class SlotReason : std::uint8_t {
    none,      // it fired
    overlap,   // the last run still went on, and the schedule says skip
    pause,     // tenant or integration was paused
    limit,     // too much was waiting already
    downtime,  // it passed while nothing could fire, and the policy leaves it out
    gap,       // the clocks jumped over it
    repeated,  // the clocks showed it twice, and it counts once
    refused    // the tenant could not run at all, such as without a release
};
std::string_view to_string(SlotOutcome outcome);
std::string_view to_string(SlotReason reason);
std::optional<SlotOutcome> parse_slot_outcome(std::string_view word);
std::optional<SlotReason> parse_slot_reason(std::string_view word);

// What became of one due instant, or of several in a row.
struct Slot {
    Time nominal{};             // with the schedule's id, its identity
    Time last{};                // after nominal: the slot stands for all between
    std::int64_t instants = 1;  // 0: too many to be counted
    SlotOutcome outcome = SlotOutcome::skipped;
    SlotReason reason = SlotReason::none;
    std::chrono::microseconds late{0};
    bool operator==(const Slot&) const = default;
};

struct SlotView {
    Slot slot;
    std::optional<TriggerId> trigger;
    std::optional<RunId> run;
    bool bundled = false;  // another trigger was there before in that run
};

// The schedule of a tenant, and where it stands.
struct TenantSchedule {
    ScheduleId id;
    TenantId tenant_id;
    bool own = false;  // or the integration's default
    ScheduleSettings settings;
    bool enabled = false;
    Time settled{};    // every instant up to here is in the ledger
    Time forgotten{};  // the last that fired and was cut from the ledger
    std::optional<Time> nominal;
    std::optional<Time> fire;
    std::optional<Time> fired;
    std::optional<Time> paused_since;
    std::string trouble;
    std::string warning;  // worked out when it is shown, never kept
};

// What an integration gives its tenants; 0 stands for no cap of its own.
struct IntegrationPolicy {
    ScheduleSettings schedule;         // of tenants without one of their own
    std::vector<std::string> allowed;  // texts that users may choose; empty: any
    std::chrono::seconds shortest{0};  // between two firings that users choose; 0: any
    std::int64_t most_running = 0;
    std::int64_t most_waiting = 0;
    std::int64_t starts_per_minute = 0;
    std::int64_t tenant_starts_per_minute = 0;
    std::int64_t retries = 0;  // of a failed run; off unless asked for
    std::chrono::seconds retry_first{60};
    std::chrono::seconds retry_longest{3600};
};

}  // namespace berth
