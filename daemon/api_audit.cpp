// The audit trail and backups, for whoever asks by the control socket.
#include <memory>
#include <utility>

#include "daemon/api_impl.h"
#include "daemon/backup_stream.h"

namespace berth {
namespace {

// A stretch for each turn of the reader: a long trail keeps nobody else from reading.
void walk_on(Store& store, std::shared_ptr<AuditWalk> walk, Done<AuditVerdict> done) {
    store.read([walk](Db& db) { return walk->step(db); },
               [&store, walk, done = std::move(done)](Result<bool> all) mutable {
                   if (!all && all.error().kind != FailureKind::conflict) return done(pass_on(all));
                   if (!all) return done(AuditVerdict{walk->head(), all.error().message});
                   if (*all) return done(AuditVerdict{walk->head()});
                   walk_on(store, walk, std::move(done));
               });
}

}  // namespace

void ApiImpl::list_audit(std::int64_t before, std::int64_t limit,
                         Done<std::vector<AuditRow>> done) {
    parts_.store.read([before, limit](Db& db) { return berth::list_audit(db, before, limit); },
                      std::move(done));
}

void ApiImpl::verify_audit(std::optional<AuditHead> published, Done<AuditVerdict> done) {
    walk_on(parts_.store, std::make_shared<AuditWalk>(std::move(published)), std::move(done));
}

// Who takes a copy away is on record before it is made.
void ApiImpl::back_up(Caller who, Done<std::unique_ptr<ByteSource>> done) {
    parts_.store.write([by = by(who)](Db& db) { audit(db, by, "backup.make", "store"); },
                       [this, done = std::move(done)](Result<void> written) mutable {
                           if (!written) return done(pass_on(written));
                           parts_.backups.make(std::move(done));
                       });
}

}  // namespace berth
