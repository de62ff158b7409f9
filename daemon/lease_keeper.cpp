#include "daemon/lease_keeper.h"

#include <utility>

#include "base/log.h"
#include "daemon/recovery.h"
#include "store/leases.h"

namespace berth {

LeaseKeeper::LeaseKeeper(Alarms& alarms, const Clock& clock, Store& store,
                         std::function<void()> taken_over)
    : clock_{clock}, store_{store}, taken_over_{std::move(taken_over)}, alarm_{alarms.make([this] {
          renew();
      })} {}

void LeaseKeeper::open() {
    closed_ = false;
    alarm_->start(kLeaseRenewal);
}

void LeaseKeeper::close() { closed_ = true; }

// The next comes when this one is answered: a slow disk is not asked twice. A lease that
// lapses meanwhile is still ours until somebody takes it.
void LeaseKeeper::renew() {
    if (closed_) return;
    store_.write(
        [now = clock_.now()](Db& db) {
            renew_leases(db);
            return recover_lapsed_runs(db, now);
        },
        [this, alive = alive_](Result<int> taken) {
            if (!*alive || closed_) return;
            alarm_->start(kLeaseRenewal);
            if (!taken)
                log_warning("cannot renew the leases of live runs, trying again",
                            {{"reason", taken.error().message}});
            else if (*taken > 0)
                taken_over_();
        });
}

}  // namespace berth
