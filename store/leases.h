// Which host may write of a live run. A run is held by the host that began it, for
// 30 s at a time; its berthd renews all that it holds every 5 s. Whoever has lost a
// run to another host is refused by the store (may_write, in every write of a run).
// Leases count by a clock that nobody can set: with SQLite the kernel's boot clock,
// which all who can open the file share.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "model/ids.h"
#include "model/run_state.h"
#include "store/db.h"

namespace berth {

inline constexpr std::chrono::seconds kLeaseTime{30};
inline constexpr std::chrono::seconds kLeaseRenewal{5};

// This host, as its store's folder knows it: 'host.id' is made there when it is not
// there yet. Throws SystemError.
LeaseHolder this_host(const std::filesystem::path& store_dir, const Clock& clock);

// The live runs that this connection's holder has are its own for another kLeaseTime;
// also those of its earlier boots, and those it was late for. How many.
std::int64_t renew_leases(Db& db);
// Takes over what other hosts have let lapse. The attempt stays: what was lost is for
// the caller to say, in the same transaction.
std::vector<RunId> take_lapsed_leases(Db& db);
// conflict, naming both hosts, when another host has the run.
Result<void> may_write(Db& db, RunId run);
Result<void> may_write(Db& db, RunId run, const std::string& owner);  // as its row says

// For move_run: a run that is being prepared is held, one that waits or has ended is not.
void hold_run(Db& db, RunId run);
void let_run_go(Db& db, RunId run, RunState into);

}  // namespace berth
