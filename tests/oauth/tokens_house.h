// A berthd, as far as it asks for tokens, over a real store and the runner's real keys, with the
// clock and the programs in the test's hand.
#pragma once

#include "daemon/tokens.h"
#include "store/connections.h"
#include "store/oauth_tokens.h"
#include "store/releases.h"
#include "store/runs.h"
#include "tests/oauth/played.h"

namespace berth::test {

using namespace std::chrono_literals;

// One berthd, as far as it asks for tokens.
struct Asker {
    Asker(KeyHouse& house, const Clock& clock)
        : store{*house.daemon->store, house.loop},
          tokens{{house.loop,
                  clock,
                  store,
                  house.daemon->keys,
                  jobs,
                  [this](std::string_view) { return &kind; },
                  {}}} {}
    ConnectorKind kind = kind_of(AuthMethod::oauth2_code);
    PlayedJobs jobs;
    ShakyStore store;
    Tokens tokens;
};

// A tenant whose connection has tokens that are good for an hour.
struct TokenHouse {
    TokenHouse() {
        must(keys.store(0, {{"client_id", "the-client"},
                            {"client_secret", "the-secret-of-the-client"},
                            {"access_token", "the-first-access-token"},
                            {"refresh_token", "the-first-refresh-token"}}));
        connection = must(read_now(*keys.daemon->store, keys.loop, [&](Db& db) {
                         return look_at_connection(db, {keys.integration, keys.tenants[0]}, "crm");
                     })).id;
        write([&](Db& db) {
            db.exec(
                "insert into oauth_tokens (connection_id, granted, expires, renewable, scope,"
                " refused, reason, failures, ticket, keep_alive)"
                " values ($1, $2, $3, 1, '', 0, '', 0, 0, $4)",
                {connection, kNow, kNow + 1h, kNow + kKeepAlive});
        });
        first.emplace(keys, clock);
    }
    void write(const std::function<void(Db&)>& how) {
        must(write_now(*keys.daemon->store, keys.loop, [&](Db& db) -> Result<void> {
            how(db);
            return {};
        }));
    }
    TokenState state() {
        return *must(read_now(
            *keys.daemon->store, keys.loop,
            [&](Db& db) -> Result<std::optional<TokenState>> { return token_of(db, connection); }));
    }
    std::uint64_t version_of_token() {
        return static_cast<std::uint64_t>(
            must(read_now(*keys.daemon->store, keys.loop, [&](Db& db) -> Result<std::int64_t> {
                return db
                    .must(
                        "select version from secrets where connection_id = $1"
                        " and field = 'access_token'",
                        {connection})
                    .integer(0);
            })));
    }
    // Somebody who needs the token for so long; how it went, once it is known.
    struct Need {
        std::optional<Result<void>> end;
    };
    std::shared_ptr<Need> need(Asker& asker, std::chrono::seconds time = 10min) {
        auto wanted = std::make_shared<Need>();
        asker.tokens.ensure_fresh(connection, clock.time + time,
                                  [wanted](Result<void> end) { wanted->end = std::move(end); });
        return wanted;
    }
    void wait(const std::function<bool()>& done) { run_until(keys.loop, done); }
    void wait(const std::shared_ptr<Need>& need) {
        wait([&] { return need->end.has_value(); });
    }
    void wait_asked(Asker& asker, std::size_t count = 1) {
        wait([&] { return asker.jobs.asked.size() >= count; });
    }
    JobAnswer answer(const Job& job, OAuthVerdict verdict, std::string reason = "") {
        return answer_to(keys, job, ++jobs_answered, verdict, std::move(reason));
    }
    void reply(Asker& asker, OAuthVerdict verdict, std::string reason = "") {
        auto asked = asker.jobs.take_first();
        asked.done(answer(asked.job, verdict, std::move(reason)));
    }

    KeyHouse keys{1};
    SetClock clock;
    ConnectionId connection;
    std::uint64_t jobs_answered = 0;
    std::optional<Asker> first;
};

}  // namespace berth::test
