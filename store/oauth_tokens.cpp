#include "store/oauth_tokens.h"

#include "store/connection_rows.h"
#include "store/connections.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kState =
    "granted, expires, renewable, refused, oauth_tokens.reason, failures, next_try, busy_until";

TokenState read_state(Columns& c) {
    TokenState state;
    state.granted = c.time();
    state.expires = c.maybe_time();
    state.renewable = c.flag();
    state.refused = c.flag();
    state.reason = c.text();
    state.failures = static_cast<int>(c.integer());
    state.next_try = c.maybe_time();
    state.busy_until = c.maybe_time();
    return state;
}

Result<void> superseded(ConnectionId connection) {
    return fail(FailureKind::conflict,
                "connection '{}' was connected anew or disconnected while its token was renewed",
                connection.value);
}

}  // namespace

std::optional<TokenState> token_of(Db& db, ConnectionId connection) {
    const auto row = db.one(
        fmt::format("select {} from oauth_tokens where connection_id = $1", kState), {connection});
    if (!row) return {};
    Columns c{*row};
    return read_state(c);
}

std::vector<RunToken> tokens_of_run(Db& db, RunId run) {
    const auto rows = db.query(
        fmt::format("select connections.id, connectors.name, {} from runs"
                    " join integration_connectors as used"
                    "  on used.integration_id = runs.integration_id"
                    " join connectors on connectors.id = used.connector_id"
                    " join connections on connections.integration_id = used.integration_id"
                    "  and connections.connector_id = used.connector_id"
                    "  and connections.part = 'connection'"
                    "  and ((used.is_global = 0 and connections.tenant_id = runs.tenant_id)"
                    "   or (used.is_global = 1 and connections.tenant_id is null))"
                    " join oauth_tokens on oauth_tokens.connection_id = connections.id"
                    " where runs.id = $1 order by connections.id",
                    kState),
        {run});
    return read_rows(rows, [](const Row& row) {
        Columns c{row};
        RunToken token;
        token.connection = c.id<ConnectionId>();
        token.connector_name = c.text();
        token.state = read_state(c);
        return token;
    });
}

Result<std::uint64_t> claim_token(Db& db, ConnectionId connection, Time now, Time until) {
    const std::uint64_t ticket = next_version(db, connection);
    const auto claimed = db.exec(
        "update oauth_tokens set ticket = $2, asked = $3, busy_until = $4"
        " where connection_id = $1 and refused = 0"
        " and (busy_until is null or busy_until <= $3 or busy_until > $5)",
        {connection, ticket, now, until, until + kSkew});
    if (claimed == 0)
        return fail(FailureKind::conflict, "the token of connection '{}' is being renewed already",
                    connection.value);
    return ticket;
}

Result<void> renew_claim(Db& db, ConnectionId connection, std::uint64_t ticket, Time now,
                         Time until) {
    const auto renewed = db.exec(
        "update oauth_tokens set asked = $3, busy_until = $4"
        " where connection_id = $1 and ticket = $2 and ticket <> 0 and refused = 0",
        {connection, ticket, now, until});
    if (renewed == 0)
        return fail(FailureKind::busy,
                    "the token of connection '{}' is being renewed by somebody else by now",
                    connection.value);
    return {};
}

void release_token(Db& db, ConnectionId connection, std::uint64_t ticket) {
    db.exec(
        "update oauth_tokens set busy_until = null, ticket = 0"
        " where connection_id = $1 and ticket = $2",
        {connection, ticket});
}

Result<void> store_renewal(Db& db, const By& by, ConnectionId connection, std::uint64_t ticket,
                           const TokenGrant& grant) {
    const auto row =
        db.one("select asked from oauth_tokens where connection_id = $1 and ticket = $2",
               {connection, ticket});
    if (!row || ticket == 0) return superseded(connection);
    ConnectionWrite write;
    write.sealed = grant.sealed;
    write.readable = grant.readable;
    write.status.reset();
    if (auto written = set_secrets(db, by, connection, ticket, write); !written)
        return pass_on(written);
    const Time asked = time_from_micros(row->integer(0));
    std::optional<Time> expires;
    if (grant.lifetime) expires = asked + *grant.lifetime;
    db.exec(
        "update oauth_tokens set granted = $2, expires = $3, renewable = coalesce($4, renewable),"
        " scope = $5, reason = '', failures = 0, next_try = null, ticket = 0, busy_until = null,"
        " keep_alive = $6 where connection_id = $1",
        {connection, asked, expires, grant.renewable, grant.scope, grant.keep_alive});
    return {};
}

Result<Connection> store_consent(Db& db, const By& by, ConnectionId connection,
                                 std::uint64_t version, Time asked, const TokenGrant& grant) {
    ConnectionWrite write;
    write.sealed = grant.sealed;
    write.readable = grant.readable;
    auto written = set_secrets(db, by, connection, version, write);
    if (!written) return written;
    if (!grant.renewable.value_or(false))  // an old one would renew somebody else's consent
        db.exec(
            "delete from secrets where connection_id = $1 and field = 'refresh_token'"
            " and version < $2",
            {connection, version});
    std::optional<Time> expires;
    if (grant.lifetime) expires = asked + *grant.lifetime;
    db.exec(
        "insert into oauth_tokens (connection_id, granted, expires, renewable, scope, refused,"
        " reason, failures, ticket, keep_alive) values ($1, $2, $3, $4, $5, 0, '', 0, 0, $6)"
        " on conflict (connection_id) do update set granted = excluded.granted,"
        " expires = excluded.expires, renewable = excluded.renewable, scope = excluded.scope,"
        " refused = 0, reason = '', failures = 0, next_try = null, ticket = 0, asked = null,"
        " busy_until = null, keep_alive = excluded.keep_alive",
        {connection, asked, expires, grant.renewable.value_or(false), grant.scope,
         grant.keep_alive});
    return get_connection(db, connection);
}

Result<void> store_outage(Db& db, ConnectionId connection, std::uint64_t ticket,
                          std::string_view reason, Time next) {
    const auto stored = db.exec(
        "update oauth_tokens set reason = $3, failures = failures + 1, next_try = $4, ticket = 0,"
        " busy_until = null where connection_id = $1 and ticket = $2",
        {connection, ticket, reason, next});
    if (stored == 0 || ticket == 0) return superseded(connection);
    return {};
}

Result<void> store_refusal(Db& db, const By& by, ConnectionId connection, std::uint64_t ticket,
                           std::string_view reason) {
    const auto stored = db.exec(
        "update oauth_tokens set refused = 1, reason = $3, ticket = 0, busy_until = null,"
        " next_try = null, keep_alive = null where connection_id = $1 and ticket = $2",
        {connection, ticket, reason});
    if (stored == 0 || ticket == 0) return superseded(connection);
    auto set = set_connection_status(db, by, connection, ConnectionStatus::failed_refresh, reason);
    if (!set) return pass_on(set);
    return {};
}

std::vector<ConnectionId> due_tokens(Db& db, Time now, std::int64_t limit) {
    return read_rows(db.query("select connection_id from oauth_tokens"
                              " join connections on connections.id = connection_id"
                              " left join tenants on tenants.id = connections.tenant_id"
                              " where keep_alive is not null"
                              "  and (keep_alive <= $1 or keep_alive > $2)"
                              "  and (tenants.id is null or tenants.archived = 0)"
                              " order by keep_alive limit $3",
                              {now, now + kKeepAlive + kSkew, limit}),
                     [](const Row& row) { return ConnectionId{row.integer(0)}; });
}

std::optional<Time> next_keep_alive(Db& db) {
    const auto row = db.one(
        "select min(keep_alive) from oauth_tokens"
        " join connections on connections.id = connection_id"
        " left join tenants on tenants.id = connections.tenant_id"
        " where keep_alive is not null and (tenants.id is null or tenants.archived = 0)");
    if (!row || row->is_null(0)) return {};
    return time_from_micros(row->integer(0));
}

void put_off_keep_alive(Db& db, ConnectionId connection, Time now, Time until) {
    db.exec(
        "update oauth_tokens set keep_alive = $3 where connection_id = $1"
        " and (keep_alive <= $2 or keep_alive > $4)",
        {connection, now, until, until + kSkew});
}

}  // namespace berth
