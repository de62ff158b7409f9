// The sink behind base/log for the daemons: spdlog to stderr, readable text with
// the fields behind it.
#pragma once

#include <string>

#include "base/log.h"

namespace berth {

// `program` begins each line. Lines below `level` are not written.
void log_to_stderr(const std::string& program, LogLevel level);

}  // namespace berth
