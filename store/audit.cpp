#include "store/audit.h"

#include <utility>

#include "base/crypto.h"
#include "base/text.h"
#include "store/sql.h"

namespace berth {
namespace {

const std::string kFirstHash(32, '\0');

// Lengths before texts, so that no two rows have one canonical form.
std::string chain(std::string_view previous, const AuditRow& row) {
    return sha256(fmt::format("{}{}|{}|{}:{}{}:{}{}:{}{}:{}", previous, row.seq,
                              to_micros(row.time), row.actor.size(), row.actor, row.action.size(),
                              row.action, row.object.size(), row.object, row.detail.size(),
                              row.detail));
}

AuditRow read_row(Columns& c) {
    AuditRow row;
    row.seq = c.integer();
    row.time = c.time();
    row.actor = c.text();
    row.action = c.text();
    row.object = c.text();
    row.detail = c.text();
    return row;
}

struct Head {
    std::int64_t seq = 0;
    std::string hash = kFirstHash;
};

Head read_head(Db& db) {
    const auto row = db.one("select seq, hash from audit_head where only = 1");
    return row ? Head{row->integer(0), row->text(1)} : Head{};
}

}  // namespace

void audit(Db& db, const By& by, std::string_view action, std::string_view object,
           std::string_view detail) {
    const Head head = read_head(db);
    const AuditRow row{
        head.seq + 1,       by.now, by.actor, std::string{action}, std::string{object},
        std::string{detail}};
    const std::string hash = chain(head.hash, row);
    db.exec(
        "insert into audit (seq, time, actor, action, object, detail, hash)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        {row.seq, row.time, row.actor, row.action, row.object, row.detail, Bytes{hash}});
    db.exec(
        "insert into audit_head (only, seq, hash) values (1, $1, $2)"
        " on conflict (only) do update set seq = excluded.seq, hash = excluded.hash",
        {row.seq, Bytes{hash}});
}

std::vector<AuditRow> list_audit(Db& db, std::int64_t before_seq, std::int64_t limit) {
    return read_rows(db.query("select seq, time, actor, action, object, detail from audit"
                              " where seq < $1 or $1 = 0 order by seq desc limit $2",
                              {before_seq, limit}),
                     [](const Row& row) {
                         Columns c{row};
                         return read_row(c);
                     });
}

AuditHead audit_head(Db& db) {
    const Head head = read_head(db);
    return {head.seq, to_hex(head.hash)};
}

AuditWalk::AuditWalk(std::optional<AuditHead> published)
    : published_{std::move(published)}, hash_{kFirstHash} {}

AuditHead AuditWalk::head() const { return {seq_, to_hex(hash_)}; }

Result<void> AuditWalk::meet_published() const {
    if (!published_ || published_->seq != seq_ || published_->hash == to_hex(hash_)) return {};
    return fail(FailureKind::conflict,
                "the audit trail has been written anew: row {} is not the one that was published",
                seq_);
}

Result<bool> AuditWalk::step(Db& db, std::int64_t most) {
    if (auto met = meet_published(); !met) return pass_on(met);
    const auto rows = db.query(
        "select seq, time, actor, action, object, detail, hash from audit"
        " where seq > $1 order by seq limit $2",
        {seq_, most});
    for (const Row& stored : rows) {
        Columns c{stored};
        const AuditRow row = read_row(c);
        if (row.seq != seq_ + 1)
            return fail(FailureKind::conflict, "audit row {} is missing", seq_ + 1);
        seq_ = row.seq;
        hash_ = chain(hash_, row);
        if (hash_ != c.text())
            return fail(FailureKind::conflict, "audit row {} has been changed", row.seq);
        if (auto met = meet_published(); !met) return pass_on(met);
    }
    if (static_cast<std::int64_t>(rows.size()) == most) return false;
    const Head head = read_head(db);
    if (head.seq > seq_) return fail(FailureKind::conflict, "audit row {} is missing", seq_ + 1);
    if (head.seq != seq_ || head.hash != hash_)
        return fail(FailureKind::conflict, "the end of the audit trail has been changed at row {}",
                    seq_);
    if (published_ && published_->seq > seq_)
        return fail(FailureKind::conflict,
                    "the end of the audit trail has been cut off: row {} was published, and it "
                    "ends at row {}",
                    published_->seq, seq_);
    return true;
}

Result<AuditHead> verify_audit(Db& db, std::optional<AuditHead> published) {
    AuditWalk walk{std::move(published)};
    for (;;) {
        auto done = walk.step(db);
        if (!done) return pass_on(done);
        if (*done) return walk.head();
    }
}

}  // namespace berth
