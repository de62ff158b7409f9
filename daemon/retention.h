// Sweeps out what has passed its time, now and then, a slice at a time: between two
// slices the store does what others want of it. What to delete is store/retention.h's.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "scheduler/ports.h"
#include "store/logs.h"
#include "store/retention.h"
#include "store/store.h"

namespace berth {

// What a sweep has done.
struct Swept {
    std::int64_t runs = 0;
    std::int64_t keys = 0;
    std::int64_t log_days = 0;
    std::int64_t pages = 0;
    std::int64_t slices = 0;  // writes that it took
};

// Thread: loop.
class Retention {
public:
    struct Parts {
        Alarms& alarms;
        const Clock& clock;
        Store& store;
        LogStore& logs;
        RetentionPolicy policy;
    };
    // `swept` is told of every sweep's end: what it did, or what it ended at. The next
    // one comes all the same.
    Retention(Parts parts, std::function<void(Result<Swept>)> swept);
    ~Retention();

    void open();   // the first sweep comes a little later, then one every hour
    void close();  // no slice more
    void set_policy(const RetentionPolicy& policy) { parts_.policy = policy; }  // from the next on

private:
    struct Sweep;

    void begin();
    void end(Result<Swept> result);

    Parts parts_;
    std::function<void(Result<Swept>)> swept_;
    std::unique_ptr<Alarm> alarm_;
    std::shared_ptr<Sweep> sweep_;  // the one that goes on; nothing: none
    bool closed_ = true;
};

}  // namespace berth
