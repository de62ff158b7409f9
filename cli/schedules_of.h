// `berth schedule list, show, set, history, preview` and `berth integration
// policy`: the schedules the daemon keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.h"

namespace berth {

// Absent members are not sent.
struct ScheduleFields {
    std::optional<std::string> text;
    std::optional<std::string> zone;
    std::optional<std::string> gap;
    std::optional<std::string> overlap;
    std::optional<std::string> jitter;  // durations: 90s, 5m, 1h30m
    std::optional<std::string> missed;
    std::optional<std::string> window;
    std::optional<std::string> when_busy;
    bool follow_integration = false;
};
Result<Exit> schedule_list(Session& session, const std::string& integration);
Result<Exit> schedule_show(Session& session, const std::string& tenant);
Result<Exit> schedule_set(Session& session, const std::string& tenant,
                          const ScheduleFields& fields);
Result<Exit> schedule_history(Session& session, const std::string& tenant, std::int64_t count);
Result<Exit> schedule_preview(Session& session, const std::string& tenant, std::int64_t count);

struct PolicyFields {
    ScheduleFields schedule;
    std::vector<std::string> allowed;
    std::optional<std::string> shortest;
    std::optional<std::int64_t> most_running, most_waiting, starts_per_minute;
    std::optional<std::int64_t> tenant_starts_per_minute, retries;
    std::optional<std::string> retry_first, retry_longest;
};
// Shows it when no field is given.
Result<Exit> integration_policy(Session& session, const std::string& integration,
                                const PolicyFields& fields);

}  // namespace berth
