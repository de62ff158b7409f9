// The record of a job: a run of a program of Berth's own (berth-oauth, berth-call) with
// the secrets of one connection, and its form in the API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "model/json.h"
#include "model/values.h"

namespace berth {

using JobId = Id<struct JobTag>;

// `succeeded`: the program answered, whatever its partner said. `failed`: it did not.
// `lost`: nobody knows how it ended.
enum class JobState { running, succeeded, failed, lost };
std::string_view to_string(JobState state);
std::optional<JobState> parse_job_state(std::string_view word);

struct JobView {
    JobId id;
    ConnectionId connection_id;
    ConnectorId connector_id;
    IntegrationId integration_id;
    std::optional<TenantId> tenant_id;
    std::string connector_name;  // empty: it is gone
    std::string program;         // `berth-call`
    std::string purpose;         // `call`, `refresh`
    std::string actor;
    JobState state = JobState::running;
    std::string reason;
    Time created{};
    std::optional<Time> completed;
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    std::string log;  // only of a single one
    std::vector<RunConnection> connections;
};

// As the store keeps them: JSON text. What is no such text reads as none.
std::string connections_text(const std::vector<RunConnection>& connections);
std::vector<RunConnection> read_connections(std::string_view text);

// A list does without the log and the connections.
enum class JobForm { line, whole };
Json to_form(const JobView& job, JobForm form);

}  // namespace berth
