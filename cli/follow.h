// Following a trigger to its run, and a run to its end. A daemon that restarts
// meanwhile harms no run, so a lost connection is taken up again where it broke.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/session.h"

namespace berth {

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// What to print on the way.
struct FollowView {
    enum class Log { hidden, shown } log = Log::shown;
    bool raw = false;
    bool times = false;
    std::string only_stream;  // stdout, stderr; empty: all, each line marked
};

enum class After { nothing, wait, follow };
struct AfterOptions {
    After after = After::nothing;
    std::optional<std::chrono::seconds> timeout;  // of waiting for the end
};
// `accepted` is what the daemon answered to a trigger: tells of it, or sees its run
// to the end.
Result<Exit> after_trigger(Session& session, const Json& accepted, const AfterOptions& options);

// The id of the run that the trigger became part of. Past the deadline: `busy`.
Result<std::string> await_run(Session& session, const std::string& trigger_id, Deadline deadline);
// The run's record once it is over.
Result<Json> follow_run(Session& session, const std::string& run_id, const FollowView& view,
                        Deadline deadline);
// Says how it ended (or prints it as JSON, when the log was hidden) and gives the
// exit code.
Exit conclude(Session& session, const Json& run, const FollowView& view);

}  // namespace berth
