// Connecting by OAuth2: a browser is sent to the provider and comes back with a code, which a
// job exchanges for tokens; or a client's own credentials are. What must be secret on the
// way is sealed or hashed before it is on the disk, and berthd sees no token.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/loop/timer.h"
#include "control/oauth_api.h"
#include "daemon/jobs.h"
#include "daemon/keys.h"
#include "daemon/oauth_exchange.h"
#include "daemon/oauth_way.h"
#include "daemon/runner_link.h"
#include "daemon/tokens.h"
#include "store/oauth_attempts.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class OAuth final : public OAuthApi {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        Store& store;
        Keys& keys;
        RunnerLink& runner;
        Jobs& jobs;
        Tokens& tokens;
        KindLookup kinds;
        OAuthSettings settings;
    };
    explicit OAuth(Parts parts);
    ~OAuth() override { *alive_ = false; }

    void begin(Caller who, OAuthTarget target, std::string return_to,
               Done<OAuthStart> done) override;
    void invite(Caller who, OAuthTarget target, Done<OAuthInvitation> done) override;
    void look_at_invitation(std::string ticket, Done<OAuthInvited> done) override;
    void accept_invitation(std::string ticket, Done<OAuthStart> done) override;
    void finish(OAuthCallback callback, Done<OAuthEnd> done) override;
    void connect_client(Caller who, OAuthTarget target, Done<Connection> done) override;

    void authorize(Caller who, OAuthTarget target, Done<OAuthAuthorized> done) override;

    // Takes the tokens of a connection back at the provider, after `disconnect` was done;
    // best effort, its end is on the record of its job. `material` is from before.
    void revoke(Caller who, const ConnectionMaterial& material);

private:
    struct Exchange;
    // An answer on its way to the record.
    struct Keeping;
    using KeepingPtr = std::shared_ptr<Keeping>;
    // The code or the verifier, which only pass through.
    struct SealedPassing {
        DataKeyRow key;
        ipc::FieldRef where;
        std::string envelope;
    };
    Result<void> has_address() const;
    // What was found on record is used up: not_found when somebody was faster.
    void take(const OAuthAttempt& found, Done<void> done);
    void start(std::shared_ptr<Way> way, Done<OAuthStart> done);
    void record(const std::shared_ptr<Way>& way, Done<OAuthStart> done);
    void seal(const Connection& connection, const std::string& actor, std::string_view field,
              std::uint64_t version, Secret plaintext, Done<SealedPassing> done);
    void read_code(const std::shared_ptr<Exchange>& going, const QueryPairs& query,
                   const std::map<std::string, std::string>& provisioned);
    void exchange(std::shared_ptr<Exchange> going);
    void run_exchange(const std::shared_ptr<Exchange>& going);
    void keep(ConnectionId connection, std::uint64_t ticket, JobAnswer answer,
              Done<Connection> done);
    void store(const KeepingPtr& keeping);
    void kept(const KeepingPtr& keeping, Result<Connection> connected);

    Parts parts_;
    std::vector<KeepingPtr> unkept_;  // that the store did not take yet
    Timer keep_again_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
