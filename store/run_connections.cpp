#include "store/run_connections.h"

#include <algorithm>
#include <array>

#include "store/leases.h"
#include "store/runs.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::array kSortFields{
    SortField{"id", "id"},
    SortField{"date", "time"},
    SortField{"port", "port"},
    SortField{"sent_bytes", "sent_bytes"},
    SortField{"received_bytes", "received_bytes"},
};

RunConnection read_connection(const Row& row) {
    Columns c{row};
    RunConnection connection;
    connection.run_id = c.id<RunId>();
    connection.attempt = static_cast<int>(c.integer());
    connection.time = c.time();
    connection.name = c.text();
    connection.address = c.text();
    connection.port = static_cast<std::uint16_t>(c.integer());
    connection.sent_bytes = c.bytes();
    connection.received_bytes = c.bytes();
    connection.refused = c.text();
    return connection;
}

}  // namespace

Result<std::int64_t> add_run_connections(Db& db, RunId id, int attempt,
                                         const std::vector<RunConnection>& connections) {
    auto run = get_run(db, id);
    if (!run) return pass_on(run);
    if (run->attempt != attempt)
        return fail(FailureKind::conflict,
                    "run '{}' is at attempt {}; what attempt {} says no longer counts", id.value,
                    run->attempt, attempt);
    if (auto may = may_write(db, id); !may) return pass_on(may);
    const auto kept = count_run_connections(db, id, attempt);
    std::uint64_t room = kConnectionRows - std::min<std::uint64_t>(kConnectionRows, kept);
    std::int64_t dropped = 0;
    std::uint64_t sent = 0, received = 0;
    for (const RunConnection& c : connections) {
        sent += c.sent_bytes;
        received += c.received_bytes;
        if (room == 0) {
            ++dropped;
            continue;
        }
        --room;
        db.exec(
            "insert into run_connections (run_id, tenant_id, attempt, name, address, port,"
            " sent_bytes, received_bytes, refused, time)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            {id, run->tenant_id, attempt, c.name, c.address, c.port, c.sent_bytes, c.received_bytes,
             c.refused, c.time});
    }
    db.exec(
        "update runs set sent_bytes = sent_bytes + $2, received_bytes = received_bytes + $3"
        " where id = $1",
        {id, sent, received});
    return dropped;
}

std::uint64_t count_run_connections(Db& db, RunId id, int attempt) {
    return static_cast<std::uint64_t>(
        db.must("select count(*) from run_connections where run_id = $1 and attempt = $2",
                {id, attempt})
            .integer(0));
}

Result<std::vector<RunConnection>> list_run_connections(Db& db, RunId id, const Page& page) {
    if (auto run = get_run(db, id); !run) return pass_on(run);
    ListQuery query{
        "select run_id, attempt, time, name, address, port, sent_bytes, received_bytes, refused"
        " from run_connections"};
    query.where("run_id =", id);
    if (auto ok = query.order(page, kSortFields); !ok) return pass_on(ok);
    return read_rows(query.run(db), read_connection);
}

}  // namespace berth
