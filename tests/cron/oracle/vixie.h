// Vixie cron's loop, minute by minute over the local time of a zone: the oracle's
// answer to when a pattern fires. Debian's cron keeps a virtual time and compares
// it with the clock; so does this. The two choices that cron does not have (gap:
// skip, shifted; overlap: second, both) are done to that loop, not computed.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "model/schedule.h"
#include "tests/cron/oracle/libc_zone.h"
#include "tests/cron/oracle/pattern.h"

namespace berth::oracle {

// All instants in the runs, seconds since 1970 UTC.
std::set<std::int64_t> fire(const TextPattern& pattern, ClockRule rule,
                            const std::vector<Run>& runs);

}  // namespace berth::oracle
