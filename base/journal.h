// Log lines for systemd's journal, with their fields as fields: `journalctl BERTH_RUN=7`
// finds what concerns one run. Datagrams of the journal's own protocol, no library.
#pragma once

#include <string>
#include <string_view>

#include "base/log.h"

namespace berth {

// Where stderr is the journal, lines from `level` on go there with their fields, and
// the answer is true. Else nothing is changed.
bool log_to_journal(std::string program, LogLevel level);
// For later lines. Thread: any.
void set_journal_level(LogLevel level);

// One entry as its datagram; `run` becomes BERTH_RUN. Pure.
std::string journal_entry(std::string_view program, LogLevel level, std::string_view text,
                          LogFields fields);

// Whether JOURNAL_STREAM, `device:inode`, names what is behind the descriptor.
bool is_journal(std::string_view journal_stream, int fd);

}  // namespace berth
