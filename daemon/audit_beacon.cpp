#include "daemon/audit_beacon.h"

#include <utility>

#include "base/log.h"
#include "store/audit.h"

namespace berth {
namespace {

constexpr std::chrono::hours kEvery{1};

}  // namespace

AuditBeacon::AuditBeacon(Alarms& alarms, Store& store)
    : store_{store}, alarm_{alarms.make([this] { open(); })} {}
AuditBeacon::~AuditBeacon() { *alive_ = false; }

void AuditBeacon::open() {
    alarm_->start(kEvery);
    say([] {});
}

void AuditBeacon::last(std::function<void()> then) { say(std::move(then)); }

void AuditBeacon::say(std::function<void()> then) {
    store_.read(
        [](Db& db) { return audit_head(db); },
        [this, alive = alive_, then = std::move(then)](Result<AuditHead> head) {
            if (!*alive) return;
            if (!head)
                log_warning("cannot read the head of the audit trail, ignoring",
                            {{"reason", head.error().message}});
            else if (std::exchange(said_, *head) != *head)
                log_info("the audit trail's head", {{"audit_head", audit_head_text(*head)}});
            then();
        });
}

}  // namespace berth
