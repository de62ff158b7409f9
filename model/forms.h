// Values → the JSON objects of the API: the contract's field names, with Berth's
// additions (docs/api.md). The only place where they are spelled for output.
#pragma once

#include <span>

#include "model/json.h"
#include "model/values.h"

namespace berth {

Json to_form(const Integration& integration);
Json to_form(const Release& release);
Json to_form(const Connector& connector);
Json to_form(const Connection& connection);
Json to_form(const ConnectionEvent& event);
Json to_form(const RunEvent& event);
Json to_form(const RunConnection& connection);
Json to_form(const LogChunk& chunk);

// A run shows the triggers it was made of.
struct RunView {
    Run run;
    std::vector<Trigger> triggers;
};
Json to_form(const RunView& view);

// A tenant shows its last runs and its connections (contract section 9).
struct TenantView {
    Tenant tenant;
    std::optional<Run> current_run;
    std::optional<Run> last_run;
    std::optional<Run> last_successful_run;
    std::vector<Connection> connections;  // one for each connector of its integration
    std::int64_t waiting_triggers = 0;
};
Json to_form(const TenantView& view);

template <typename T>
Json to_forms(const std::vector<T>& values);

}  // namespace berth
