// The way back: a code, or a client's credentials, are exchanged for tokens. What is kept of
// them is in oauth_keep.cpp.
#include <utility>

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/oauth.h"
#include "daemon/oauth_cookie.h"
#include "daemon/oauth_way.h"
#include "store/connections.h"
#include "store/provisioning.h"

namespace berth {
namespace {

OAuthEnd went_wrong(std::string text) { return {false, std::move(text), ""}; }

// Who came back, and to what.
struct CameBack {
    OAuthAttempt attempt;
    Connection connection;
    Provisioning provisioning;
};

// Only read: a stranger who guesses costs the store no write.
Result<CameBack> came_back(Db& db, const std::string& hash, const std::string& cookie_hash,
                           Time now) {
    auto attempt = find_attempt(db, hash, cookie_hash, now);
    if (!attempt) return pass_on(attempt);
    auto connection = get_connection(db, attempt->connection);
    if (!connection) return pass_on(connection);
    auto provisioning =
        get_provisioning(db, connection->integration_id, connection->connector_name);
    if (!provisioning) return pass_on(provisioning);
    return CameBack{std::move(*attempt), std::move(*connection), std::move(*provisioning)};
}

}  // namespace

// One exchange, from what was taken off the record until its tokens are on it.
struct OAuth::Exchange {
    OAuthAttempt attempt;
    Connection connection;
    OAuthGrant grant = OAuthGrant::authorization_code;
    std::optional<SealedPassing> code;
    std::uint64_t ticket = 0;
    Done<Connection> done;
};

void OAuth::finish(OAuthCallback callback, Done<OAuthEnd> done) {
    const auto state = callback.query.find("state");
    if (!state || state->empty() || callback.query.count("state") != 1)
        return done(went_wrong("the answer of the provider has no 'state'; begin again"));
    const std::string hash = oauth_hash(*state);
    const auto cookie =
        find_cookie(callback.cookies, oauth_cookie_name(hash, parts_.settings.public_url));
    parts_.store.read(
        [hash, cookie_hash = oauth_hash(cookie.value_or("")), now = parts_.clock.now()](Db& db) {
            return came_back(db, hash, cookie_hash, now);
        },
        [this, query = callback.query.all(), alive = alive_,
         done = std::move(done)](Result<CameBack> found) mutable {
            if (!*alive) return;
            if (!found) return done(went_wrong(found.error().message));
            auto going = std::make_shared<Exchange>();
            going->attempt = std::move(found->attempt);
            going->connection = std::move(found->connection);
            going->done = [name = going->connection.connector_name,
                           return_to = going->attempt.return_to,
                           done = std::move(done)](Result<Connection> connected) mutable {
                if (!connected) return done(went_wrong(connected.error().message));
                done(OAuthEnd{true, fmt::format("'{}' is connected", name), return_to});
            };
            take(going->attempt,
                 [this, going, query = std::move(query), alive,
                  provisioned = std::move(found->provisioning.readable)](Result<void> taken) {
                     if (!*alive) return;
                     if (!taken) return going->done(pass_on(taken));
                     read_code(going, query, provisioned);
                 });
        });
}

void OAuth::read_code(const std::shared_ptr<Exchange>& going, const QueryPairs& query,
                      const std::map<std::string, std::string>& provisioned) {
    auto kind = oauth_kind(parts_.kinds, going->connection);
    if (!kind) return going->done(pass_on(kind));
    auto issuer = make_issuer(*(*kind)->oauth2, {provisioned, going->connection.readable});
    if (!issuer) return going->done(pass_on(issuer));
    auto code = read_callback(query, *issuer);
    if (!code) return going->done(pass_on(code));
    // Sealed, so that it is masked wherever it might turn up.
    Secret secret{*code};
    cleanse(code->data(), code->size());
    seal(going->connection, going->attempt.actor, kCodeField, going->attempt.version,
         std::move(secret), [this, going, alive = alive_](Result<SealedPassing> sealed) {
             if (!*alive) return;
             if (!sealed) return going->done(pass_on(sealed));
             going->code = std::move(*sealed);
             exchange(going);
         });
}

void OAuth::connect_client(Caller who, OAuthTarget target, Done<Connection> done) {
    auto going = std::make_shared<Exchange>();
    going->grant = OAuthGrant::client_credentials;
    going->done = std::move(done);
    const Time now = parts_.clock.now();
    going->attempt.key_hash = oauth_hash(random_token());
    going->attempt.cookie_hash = going->attempt.key_hash;
    going->attempt.actor = who.name;
    going->attempt.created = now;
    going->attempt.expires = now + kAttemptLife;
    parts_.store.write(
        [by = By{who.name, now}, target = std::move(target)](Db& db) -> Result<Connection> {
            auto owner = owner_of(db, target);
            if (!owner) return pass_on(owner);
            return open_connection(db, by, *owner, target.connector);
        },
        [this, going, alive = alive_](Result<Connection> connection) {
            if (!*alive) return;
            if (!connection) return going->done(std::move(connection));
            auto kind = oauth_kind(parts_.kinds, *connection);
            if (!kind) return going->done(pass_on(kind));
            if ((*kind)->auth != AuthMethod::oauth2_client_credentials)
                return going->done(fail_at(FailureKind::unprocessable, "connector",
                                           "connector '{}' needs somebody's consent: send him to "
                                           "the provider",
                                           connection->connector_name));
            going->attempt.connection = connection->id;
            going->connection = std::move(*connection);
            exchange(going);
        });
}

// The data key first: it is made if this is the owner's first secret.
void OAuth::exchange(std::shared_ptr<Exchange> going) {
    parts_.keys.with_data_key(scope_of_connection(going->connection), going->attempt.actor,
                              [this, going, alive = alive_](Result<DataKeyRow> key) {
                                  if (!*alive) return;
                                  if (!key) return going->done(pass_on(key));
                                  run_exchange(going);
                              });
}

void OAuth::run_exchange(const std::shared_ptr<Exchange>& going) {
    struct Claimed {
        ConnectionMaterial material;
        std::uint64_t ticket = 0;
        DataKeyRow key{};           // of the answer
        DataKeyRow verifier_key{};  // from when the way began: it may be replaced by now
    };
    parts_.store.write(
        [attempt = going->attempt, now = parts_.clock.now()](Db& db) mutable -> Result<Claimed> {
            const By by{attempt.actor, now};
            auto material = connection_secrets(db, by, attempt.connection, "authorize");
            if (!material) return pass_on(material);
            const KeyScope scope = scope_of_connection(material->connection);
            Claimed claimed{std::move(*material), reserve_version(db, attempt.connection)};
            auto key = get_data_key(db, scope);
            if (!key) return pass_on(key);
            claimed.key = std::move(*key);
            if (!attempt.verifier.empty()) {
                auto old = data_key_of(db, scope, attempt.verifier);
                if (!old)
                    return fail(FailureKind::conflict,
                                "the keys were changed meanwhile; begin again");
                claimed.verifier_key = std::move(*old);
            }
            attempt.created = now;  // when it is asked: the token's life begins no earlier
            begin_exchange(db, attempt, claimed.ticket);
            return claimed;
        },
        [this, going, alive = alive_](Result<Claimed> claimed) {
            if (!*alive) return;
            if (!claimed) return going->done(pass_on(claimed));
            auto kind = oauth_kind(parts_.kinds, going->connection);
            if (!kind) return going->done(pass_on(kind));
            ExchangeOrder order{
                going->grant, claimed->ticket, claimed->key, going->attempt.actor, {}};
            if (going->code)
                order.passing.push_back({oauth_env::kCode, going->code->where, going->code->key,
                                         going->code->envelope});
            if (!going->attempt.verifier.empty())
                order.passing.push_back(
                    {oauth_env::kVerifier,
                     field_of(going->connection, kVerifierField, going->attempt.version),
                     claimed->verifier_key, going->attempt.verifier});
            auto job = make_exchange(**kind, claimed->material, order, parts_.settings);
            if (!job) return going->done(pass_on(job));
            job->purpose = "authorize";
            parts_.jobs.run(std::move(*job), [this, going, ticket = claimed->ticket,
                                              alive](Result<JobAnswer> answer) {
                if (!*alive) return;
                if (!answer) return going->done(pass_on(answer));
                keep(going->connection.id, ticket, std::move(*answer), std::move(going->done));
            });
        });
}

void OAuth::revoke(Caller who, const ConnectionMaterial& material) {
    auto kind = oauth_kind(parts_.kinds, material.connection);
    if (!kind || (*kind)->oauth2->revoke_url.empty()) return;
    const bool has_token =
        material.find_secret("refresh_token") || material.find_secret("access_token");
    if (!has_token) return;
    ExchangeOrder order;
    order.grant = OAuthGrant::revoke;
    order.actor = std::move(who.name);
    auto job = make_exchange(**kind, material, order, parts_.settings);
    const auto gave_up = [id = material.connection.id](const std::string& why) {
        log_warning("cannot revoke a token at its provider, ignoring",
                    {{"connection", id.str()}, {"reason", why}});
    };
    if (!job) return gave_up(job.error().message);
    parts_.jobs.run(std::move(*job), [this, gave_up, alive = alive_](Result<JobAnswer> answer) {
        if (!*alive) return;
        if (!answer) return gave_up(answer.error().message);
        parts_.jobs.settled(answer->job);
        auto outcome = read_outcome(answer->plain);
        if (!outcome || outcome->verdict != OAuthVerdict::granted)
            gave_up(outcome ? outcome->reason : outcome.error().message);
    });
}

}  // namespace berth
