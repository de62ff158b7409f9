// `berth run` and `berth log`: what has run, what it said, how it ended.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/follow.h"
#include "cli/session.h"

namespace berth {

struct RunFilter {
    std::string tenant;
    std::string integration;
    std::string state;
    Paging paging{.limit = 20, .skip = 0, .sort = "id", .descending = true};
};

struct LogOptions {
    bool follow = false;
    bool raw = false;    // bytes as they are, escape sequences included
    bool times = false;  // only when following
    std::string stream;  // stdout, stderr; empty: both
};

struct RerunOptions {
    std::string configs = "original";  // or current, or JSON, @file, -
    std::string state = "original";    // or current, or text, @file, -
    std::string release = "original";  // or current
    bool keeps_state = false;
    std::optional<std::string> idempotency_key;  // else a random one
    AfterOptions after;
};

Result<Exit> run_list(Session& session, const RunFilter& filter);
Result<Exit> run_show(Session& session, const std::string& run);
Result<Exit> run_connections(Session& session, const std::string& run, const Paging& paging);
Result<Exit> run_rerun(Session& session, const std::string& run, const RerunOptions& options);
Result<Exit> run_cancel(Session& session, const std::string& run);
Result<Exit> run_trigger_status(Session& session, const std::string& trigger_id);
Result<Exit> run_log(Session& session, const std::string& run, const LogOptions& options);

}  // namespace berth
