// The sink behind base/log for berthd: the journal where stderr is the journal, else
// spdlog to stderr, readable text with the fields behind it.
#pragma once

#include <string>

#include "base/log.h"

namespace berth {

// `program` begins each line. Lines below `level` are not written.
void log_to_journal_or_stderr(const std::string& program, LogLevel level);
// For later lines. Thread: any.
void set_log_level(LogLevel level);

}  // namespace berth
