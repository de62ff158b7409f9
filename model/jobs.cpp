#include "model/jobs.h"

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "model/forms.h"

namespace berth {
namespace {

template <typename T>
Json number_or_null(const std::optional<T>& id) {
    return id ? Json(id->value) : Json(nullptr);
}

}  // namespace

std::string_view to_string(JobState state) {
    switch (state) {
        case JobState::running: return "running";
        case JobState::succeeded: return "succeeded";
        case JobState::failed: return "failed";
        case JobState::lost: return "lost";
    }
    std::abort();
}

std::optional<JobState> parse_job_state(std::string_view word) {
    using enum JobState;
    for (const JobState state : {running, succeeded, failed, lost})
        if (to_string(state) == word) return state;
    return {};
}

std::string connections_text(const std::vector<RunConnection>& connections) {
    Json list = Json::array();
    for (const RunConnection& c : connections)
        list.push_back({{"time", to_micros(c.time)},
                        {"name", c.name},
                        {"address", c.address},
                        {"port", c.port},
                        {"sent", c.sent_bytes},
                        {"received", c.received_bytes},
                        {"refused", c.refused}});
    return to_text(list);
}

std::vector<RunConnection> read_connections(std::string_view text) {
    std::vector<RunConnection> connections;
    try {
        for (const Json& one : Json::parse(text)) {
            RunConnection c;
            c.time = time_from_micros(one.at("time").get<std::int64_t>());
            c.name = one.at("name");
            c.address = one.at("address");
            c.port = one.at("port");
            c.sent_bytes = one.at("sent");
            c.received_bytes = one.at("received");
            c.refused = one.at("refused");
            connections.push_back(std::move(c));
        }
    } catch (const Json::exception&) {
        return {};
    }
    return connections;
}

Json to_form(const JobView& job, JobForm form) {
    Json out{{"id", job.id.value},
             {"program", job.program},
             {"purpose", job.purpose},
             {"connection_id", job.connection_id.value},
             {"connector_id", job.connector_id.value},
             {"connector", job.connector_name.empty() ? Json(nullptr) : Json(job.connector_name)},
             {"integration_id", job.integration_id.value},
             {"tenant_id", number_or_null(job.tenant_id)},
             {"actor", job.actor},
             {"state", to_string(job.state)},
             {"reason", job.reason.empty() ? Json(nullptr) : Json(job.reason)},
             {"created_date", to_rfc3339(job.created)},
             {"completed_date", job.completed ? Json(to_rfc3339(*job.completed)) : Json(nullptr)},
             {"user_ms", job.user_us / 1000},
             {"system_ms", job.system_us / 1000}};
    if (form == JobForm::line) return out;
    Json connections = Json::array();
    for (const RunConnection& c : job.connections) {
        Json one = to_form(c);
        one.erase("attempt");  // a job has one
        connections.push_back(std::move(one));
    }
    out["connections"] = std::move(connections);
    out["log"] = job.log;
    return out;
}

}  // namespace berth
