// Says the head of the audit trail in the journal: at the start, once an hour when it has
// moved, and at the end. Whoever rewrites the trail later has a journal against him
// (`berth audit verify --head`).
#pragma once

#include <functional>
#include <memory>

#include "model/audit.h"
#include "scheduler/ports.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class AuditBeacon {
public:
    AuditBeacon(Alarms& alarms, Store& store);
    ~AuditBeacon();

    void open();
    // Once more, and then `then`: also when the store does not answer well.
    void last(std::function<void()> then);

private:
    void say(std::function<void()> then);

    Store& store_;
    std::unique_ptr<Alarm> alarm_;
    AuditHead said_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
