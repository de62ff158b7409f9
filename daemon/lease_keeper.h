// Keeps this host's runs its own: renews their leases every 5 s, in one statement, and
// takes over what other hosts have let lapse. What a lease is, store/leases.h tells.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"
#include "scheduler/ports.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class LeaseKeeper {
public:
    // Who writes of runs outside the store's transactions (their logs).
    class Writer {
    public:
        virtual ~Writer() = default;
        virtual std::vector<RunId> held_runs() const = 0;
        // All of these but `lost` were ours at `when`, and are for kLeaseTime.
        virtual void leased(SteadyTime when, const std::vector<RunId>& lost) = 0;
    };
    // `taken_over`: runs of others were ended or wait again; their tenants' next may begin.
    LeaseKeeper(Alarms& alarms, const Clock& clock, Store& store, std::function<void()> taken_over);
    LeaseKeeper(const LeaseKeeper&) = delete;
    LeaseKeeper& operator=(const LeaseKeeper&) = delete;
    ~LeaseKeeper() { *alive_ = false; }
    void tell(Writer& writer) { writer_ = &writer; }

    void open();   // after recovery, which has renewed them
    void close();  // what still runs is the next berthd's

private:
    void renew();

    const Clock& clock_;
    Store& store_;
    const std::function<void()> taken_over_;
    std::unique_ptr<Alarm> alarm_;
    Writer* writer_ = nullptr;
    bool closed_ = true;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
