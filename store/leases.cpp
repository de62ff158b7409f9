#include "store/leases.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";
constexpr std::size_t kIdBytes = 64;  // of either file, at most

// A wall clock that steps must not end a lease, nor keep it for ever.
std::int64_t lease_now(const LeaseHolder& holder) {
    return holder.clock->steady().time_since_epoch().count();
}

std::int64_t lease_end(const LeaseHolder& holder) {
    return lease_now(holder) + std::chrono::microseconds{kLeaseTime}.count();
}

}  // namespace

LeaseHolder this_host(const std::filesystem::path& store_dir, const Clock& clock) {
    const auto path = store_dir / "host.id";
    if (!std::filesystem::exists(path))
        write_file_atomically(path, to_hex(random_bytes(8)) + "\n", 0600);
    const auto read = [](const std::filesystem::path& file) {
        const auto text = read_file(file, kIdBytes);
        return text ? std::string{trim(*text)} : std::string{};
    };
    return {read(path), "boot " + read(kBootId), &clock};
}

std::int64_t renew_leases(Db& db) {
    const LeaseHolder& holder = db.holder();
    if (holder.host.empty()) return 0;
    return db.exec(
        "update runs set lease_clock = $2, lease_until = $3"
        " where completed is null and owner = $1",
        {holder.host, holder.clock_name, lease_end(holder)});
}

std::vector<RunId> take_lapsed_leases(Db& db) {
    const LeaseHolder& holder = db.holder();
    if (holder.host.empty()) return {};
    return read_rows(
        db.query("update runs set owner = $1, lease_clock = $2, lease_until = $3"
                 " where completed is null and owner <> '' and owner <> $1"
                 " and (lease_clock <> $2 or lease_until < $4) returning id",
                 {holder.host, holder.clock_name, lease_end(holder), lease_now(holder)}),
        [](const Row& row) { return Columns{row}.id<RunId>(); });
}

Result<void> may_write(Db& db, RunId run) {
    const auto row = db.one("select owner from runs where id = $1", {run});
    if (!row) return fail(FailureKind::not_found, "there is no run '{}'", run.value);
    return may_write(db, run, row->text(0));
}

Result<void> may_write(Db& db, RunId run, const std::string& owner) {
    if (owner.empty() || owner == db.holder().host) return {};
    return fail(FailureKind::conflict,
                "run '{}' is held by host '{}'; what host '{}' says of it no longer counts, since "
                "it did not renew its lease in time",
                run.value, owner, db.holder().host);
}

void hold_run(Db& db, RunId run) {
    const LeaseHolder& holder = db.holder();
    if (holder.host.empty()) return;
    db.exec("update runs set owner = $2, lease_clock = $3, lease_until = $4 where id = $1",
            {run, holder.host, holder.clock_name, lease_end(holder)});
}

// Who had it stays on the record of one that has ended.
void let_run_go(Db& db, RunId run, RunState into) {
    if (into == RunState::queued)
        db.exec("update runs set owner = '', lease_until = null where id = $1", {run});
    else
        db.exec("update runs set lease_until = null where id = $1", {run});
}

}  // namespace berth
