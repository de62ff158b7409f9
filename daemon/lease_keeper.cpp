#include "daemon/lease_keeper.h"

#include <algorithm>
#include <iterator>
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
    if (writer_) writer_->leased(clock_.steady(), {});
    alarm_->start(kLeaseRenewal);
}

void LeaseKeeper::close() { closed_ = true; }

// The next comes when this one is answered: a slow disk is not asked twice. A lease that
// lapses meanwhile is still ours until somebody takes it.
void LeaseKeeper::renew() {
    if (closed_) return;
    struct Renewed {
        int taken = 0;
        std::vector<RunId> lost;
    };
    store_.write(
        [now = clock_.now(), live = writer_ ? writer_->held_runs() : std::vector<RunId>{}](Db& db) {
            renew_leases(db);
            Renewed renewed{recover_lapsed_runs(db, now), {}};
            std::ranges::copy_if(live, std::back_inserter(renewed.lost),
                                 [&](RunId run) { return !may_write(db, run); });
            return renewed;
        },
        [this, asked = clock_.steady(), alive = alive_](Result<Renewed> renewed) {
            if (!*alive || closed_) return;
            alarm_->start(kLeaseRenewal);
            if (!renewed)
                return log_warning("cannot renew the leases of live runs, trying again",
                                   {{"reason", renewed.error().message}});
            if (writer_) writer_->leased(asked, renewed->lost);
            if (renewed->taken > 0) taken_over_();
        });
}

}  // namespace berth
