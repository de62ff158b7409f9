// The way there: from a connection that is wanted to an address at the provider.
#include "daemon/oauth.h"

#include <utility>

#include "base/crypto.h"
#include "base/log.h"
#include "daemon/oauth_cookie.h"
#include "daemon/oauth_way.h"
#include "store/connection_secrets.h"
#include "store/connections.h"

namespace berth {
namespace {

// The fields of endpoints and the client's id: none of them secret.
struct Opened {
    ConnectionMaterial material;
    std::uint64_t version = 0;
};

Result<Opened> open_way(Db& db, const By& by, const OAuthTarget& target) {
    const auto owner = owner_of(db, target);
    if (!owner) return tl::unexpected<Failure>{owner.error()};
    auto connection = open_connection(db, by, *owner, target.connector);
    if (!connection) return pass_on(connection);
    const std::vector<std::string> none_secret{"client_id"};
    auto material = connection_secrets(db, by, connection->id, "authorize", none_secret);
    if (!material) return pass_on(material);
    return Opened{std::move(*material), reserve_version(db, connection->id)};
}

struct Invited {
    OAuthAttempt attempt;
    Connection connection;
};

Result<Invited> invited_by(Db& db, const std::string& hash, Time now) {
    auto attempt = find_attempt(db, hash, "", now);
    if (!attempt) return pass_on(attempt);
    auto connection = get_connection(db, attempt->connection);
    if (!connection) return pass_on(connection);
    return Invited{std::move(*attempt), std::move(*connection)};
}

}  // namespace

OAuth::OAuth(Parts parts)
    : parts_{std::move(parts)}, keep_again_{parts_.loop, [this] {
                                                for (const KeepingPtr& keeping :
                                                     std::exchange(unkept_, {}))
                                                    store(keeping);
                                            }} {
    // The browser is told nothing any more, but the consent was given.
    parts_.jobs.on_left("authorize", [this](ConnectionId id, JobAnswer answer) {
        auto outcome = read_outcome(answer.plain);
        const auto ticket = outcome ? to_number<std::uint64_t>(outcome->ticket) : std::nullopt;
        if (!ticket) return parts_.jobs.settled(answer.job);
        keep(id, *ticket, std::move(answer), [id](Result<Connection> connected) {
            if (!connected)
                log_warning("a consent is not taken",
                            {{"connection", id.str()}, {"reason", connected.error().message}});
        });
    });
    parts_.jobs.on_left("revoke", [this](ConnectionId, const JobAnswer& answer) {
        parts_.jobs.settled(answer.job);
    });
}

Result<void> OAuth::has_address() const {
    if (!parts_.settings.public_url.empty()) return {};
    return fail(FailureKind::unavailable,
                "providers cannot send anybody back here: set 'public_url' to the address under "
                "which berthd's public socket is reached, and restart it");
}

void OAuth::begin(Caller who, OAuthTarget target, std::string return_to, Done<OAuthStart> done) {
    auto way = std::make_shared<Way>();
    way->actor = std::move(who.name);
    way->target = std::move(target);
    way->return_to = std::move(return_to);
    if (auto has = has_address(); !has) return done(pass_on(has));
    if (!way->return_to.empty() && !is_own_path(way->return_to))
        return done(fail_at(FailureKind::unprocessable, "return_to",
                            "'return_to' must be a path of this server, like '/connect/x'"));
    start(std::move(way), std::move(done));
}

// Kind, client and fields; then the verifier is sealed; then the attempt is on record, and
// only then somebody is sent off.
void OAuth::start(std::shared_ptr<Way> way, Done<OAuthStart> done) {
    parts_.store.write(
        [by = By{way->actor, parts_.clock.now()}, target = way->target](Db& db) {
            return open_way(db, by, target);
        },
        [this, way, alive = alive_, done = std::move(done)](Result<Opened> opened) mutable {
            if (!*alive) return;
            if (!opened) return done(pass_on(opened));
            auto prepared = prepare_way(*way, opened->material, parts_.kinds, parts_.settings);
            if (!prepared) return done(pass_on(prepared));
            way->version = opened->version;
            way->connection = opened->material.connection;
            if (way->verifier.empty()) return record(way, std::move(done));
            seal(way->connection, way->actor, kVerifierField, way->version,
                 std::move(way->verifier),
                 [this, way, alive, done = std::move(done)](Result<SealedPassing> sealed) mutable {
                     if (!*alive) return;
                     if (!sealed) return done(pass_on(sealed));
                     way->sealed_verifier = std::move(sealed->envelope);
                     record(way, std::move(done));
                 });
        });
}

void OAuth::record(const std::shared_ptr<Way>& way, Done<OAuthStart> done) {
    OAuthAttempt attempt;
    attempt.key_hash = oauth_hash(way->state);
    attempt.connection = way->connection.id;
    attempt.cookie_hash = oauth_hash(way->cookie);
    attempt.verifier = way->sealed_verifier;
    attempt.version = way->version;
    attempt.return_to = way->return_to;
    attempt.actor = way->actor;
    attempt.created = parts_.clock.now();
    attempt.expires = attempt.created + kAttemptLife;
    const std::string& url = parts_.settings.public_url;
    OAuthStart start{way->url,
                     oauth_set_cookie(oauth_cookie_name(attempt.key_hash, url), way->cookie, url)};
    parts_.store.write(
        [attempt](Db& db) { return add_attempt(db, attempt); },
        [start = std::move(start), done = std::move(done)](Result<void> added) mutable {
            if (!added) return done(pass_on(added));
            done(std::move(start));
        });
}

// A data key is made if the connection's owner has none yet.
void OAuth::seal(const Connection& connection, const std::string& actor, std::string_view field,
                 std::uint64_t version, Secret plaintext, Done<SealedPassing> done) {
    auto held = std::make_shared<Secret>(std::move(plaintext));
    parts_.keys.with_data_key(
        scope_of_connection(connection), actor,
        [this, held, where = field_of(connection, field, version), alive = alive_,
         done = std::move(done)](Result<DataKeyRow> key) mutable {
            if (!*alive) return;
            if (!key) return done(pass_on(key));
            parts_.runner.seal(
                {key->id, key->envelope}, where, std::move(*held),
                [key = *key, where, done = std::move(done)](Result<std::string> envelope) mutable {
                    if (!envelope) return done(pass_on(envelope));
                    done(SealedPassing{std::move(key), std::move(where), std::move(*envelope)});
                });
        });
}

void OAuth::invite(Caller who, OAuthTarget target, Done<OAuthInvitation> done) {
    if (auto has = has_address(); !has) return done(pass_on(has));
    const std::string ticket = random_token();
    const Time now = parts_.clock.now();
    OAuthAttempt attempt;
    attempt.key_hash = oauth_hash(ticket);
    attempt.actor = who.name;
    attempt.created = now;
    attempt.expires = now + kAttemptLife;
    OAuthInvitation invitation{
        parts_.settings.public_url + "/v0/author/begin/oauth2?ticket=" + ticket, attempt.expires};
    parts_.store.write(
        [attempt, target, kinds = parts_.kinds](Db& db) mutable -> Result<void> {
            const By by{attempt.actor, attempt.created};
            auto owner = owner_of(db, target);
            if (!owner) return pass_on(owner);
            auto connection = open_connection(db, by, *owner, target.connector);
            if (!connection) return pass_on(connection);
            if (auto kind = oauth_kind(kinds, *connection); !kind) return pass_on(kind);
            attempt.connection = connection->id;
            return add_attempt(db, attempt);
        },
        [invitation = std::move(invitation), done = std::move(done)](Result<void> added) mutable {
            if (!added) return done(pass_on(added));
            done(std::move(invitation));
        });
}

void OAuth::look_at_invitation(std::string ticket, Done<OAuthInvited> done) {
    parts_.store.read(
        [hash = oauth_hash(ticket), now = parts_.clock.now()](Db& db) {
            return invited_by(db, hash, now);
        },
        [kinds = parts_.kinds, done = std::move(done)](Result<Invited> found) mutable {
            if (!found) return done(pass_on(found));
            const ConnectorKind* kind = kinds(found->connection.kind);
            done(OAuthInvited{kind ? kind->title : found->connection.connector_name});
        });
}

// Looked for first: a stranger who guesses costs the store no write.
void OAuth::accept_invitation(std::string ticket, Done<OAuthStart> done) {
    parts_.store.read(
        [hash = oauth_hash(ticket), now = parts_.clock.now()](Db& db) {
            return invited_by(db, hash, now);
        },
        [this, alive = alive_, done = std::move(done)](Result<Invited> found) mutable {
            if (!*alive) return;
            if (!found) return done(pass_on(found));
            const auto invited = std::make_shared<Invited>(std::move(*found));
            take(invited->attempt, [this, invited, alive,
                                    done = std::move(done)](Result<void> taken) mutable {
                if (!*alive) return;
                if (!taken) return done(pass_on(taken));
                const Connection& connection = invited->connection;
                begin({invited->attempt.actor},
                      {connection.integration_id, connection.tenant_id, connection.connector_name},
                      "", std::move(done));
            });
        });
}

void OAuth::take(const OAuthAttempt& found, Done<void> done) {
    parts_.store.write(
        [key = found.key_hash, cookie = found.cookie_hash,
         now = parts_.clock.now()](Db& db) -> Result<void> {
            auto taken = take_attempt(db, key, cookie, now);
            if (!taken) return pass_on(taken);
            return {};
        },
        std::move(done));
}

void OAuth::authorize(Caller who, OAuthTarget target, Done<OAuthAuthorized> done) {
    parts_.store.read(
        [target](Db& db) -> Result<Connection> {
            auto owner = owner_of(db, target);
            if (!owner) return pass_on(owner);
            return look_at_connection(db, *owner, target.connector);
        },
        [this, who = std::move(who), target, alive = alive_,
         done = std::move(done)](Result<Connection> connection) mutable {
            if (!*alive) return;
            if (!connection) return done(pass_on(connection));
            auto kind = oauth_kind(parts_.kinds, *connection);
            if (!kind) return done(pass_on(kind));
            if ((*kind)->auth == AuthMethod::oauth2_client_credentials)
                return connect_client(
                    std::move(who), std::move(target),
                    [done = std::move(done)](Result<Connection> connected) mutable {
                        if (!connected) return done(pass_on(connected));
                        done(OAuthAuthorized{{}, std::move(*connected)});
                    });
            invite(std::move(who), std::move(target),
                   [done = std::move(done)](Result<OAuthInvitation> invitation) mutable {
                       if (!invitation) return done(pass_on(invitation));
                       done(OAuthAuthorized{std::move(*invitation), {}});
                   });
        });
}

}  // namespace berth
