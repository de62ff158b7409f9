// The table of a day's log: chunks of output, compressed with zstd where that makes
// them smaller.
#pragma once

#include <vector>

#include "model/values.h"
#include "store/db.h"
#include "store/logs.h"

namespace berth {

// Makes the table where it is not there.
extern const char* const kLogSchema;

// One with a (run, seq) that is there already is ignored.
void write_chunk(Db& db, const LogChunk& chunk);
// The lowest of the range that this database has, in order.
std::vector<LogChunk> read_chunks(Db& db, const LogStore::Range& range);

}  // namespace berth
