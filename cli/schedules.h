// `berth schedule explain`: what a schedule means, when it fires, what the next clock
// changes do to it. Asks no daemon.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cli/session.h"

namespace berth {

struct ExplainOptions {
    std::string text;
    std::string zone = "UTC";
    std::string gap = "at_end";
    std::string overlap = "first";
    bool seconds = false;     // six fields, and intervals below a minute
    std::string jitter;       // a duration; empty: none
    std::int64_t tenant = 0;  // whose jitter; 0: nobody's
    std::size_t count = 10;
    std::string now;  // RFC 3339; empty: by the clock
};

// A text that no daemon can read is refused here, with a mark below the fault. Whether
// seconds are allowed is the daemon's affair. An empty one is none, and good.
Result<void> check_schedule_text(const std::string& text);

Result<Exit> explain_schedule(Session& session, const ExplainOptions& options);

}  // namespace berth
