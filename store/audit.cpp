#include "store/audit.h"

#include "base/crypto.h"
#include "base/text.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::int64_t kVerifyRows = 1000;  // read at a time
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

Result<AuditHead> verify_audit(Db& db) {
    Head seen;
    for (;;) {
        const auto rows = db.query(
            "select seq, time, actor, action, object, detail, hash from audit"
            " where seq > $1 order by seq limit $2",
            {seen.seq, kVerifyRows});
        for (const Row& stored : rows) {
            Columns c{stored};
            const AuditRow row = read_row(c);
            if (row.seq != seen.seq + 1)
                return fail(FailureKind::conflict, "audit row {} is missing", seen.seq + 1);
            seen = {row.seq, chain(seen.hash, row)};
            if (seen.hash != c.text())
                return fail(FailureKind::conflict, "audit row {} has been changed", row.seq);
        }
        if (rows.empty()) break;
    }
    const Head head = read_head(db);
    if (head.seq > seen.seq)
        return fail(FailureKind::conflict, "audit row {} is missing", seen.seq + 1);
    if (head.seq != seen.seq || head.hash != seen.hash)
        return fail(FailureKind::conflict, "the end of the audit trail has been changed at row {}",
                    seen.seq);
    return AuditHead{seen.seq, to_hex(seen.hash)};
}

}  // namespace berth
