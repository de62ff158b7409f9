// Connecting by OAuth2: a browser is sent to the provider and comes back with a code, which a
// job exchanges for tokens; or a client's own credentials are. What must be secret on the
// way is sealed or hashed before it is on the disk, and berthd sees no token.
#pragma once

#include <memory>
#include <string>

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
    void accept_invitation(std::string ticket, Done<OAuthStart> done) override;
    void finish(OAuthCallback callback, Done<OAuthEnd> done) override;
    void connect_client(Caller who, OAuthTarget target, Done<Connection> done) override;

    void authorize(Caller who, OAuthTarget target, Done<OAuthAuthorized> done) override;

    // Takes the tokens of a connection back at the provider, after `disconnect` was done;
    // best effort, its end is on the record of its job. `material` is from before.
    void revoke(Caller who, const ConnectionMaterial& material);

private:
    struct Exchange;
    // The code or the verifier, which only pass through.
    struct SealedPassing {
        DataKeyRow key;
        ipc::FieldRef where;
        std::string envelope;
    };
    Result<void> has_address() const;
    void start(std::shared_ptr<Way> way, Done<OAuthStart> done);
    void record(const std::shared_ptr<Way>& way, Done<OAuthStart> done);
    void seal(const Connection& connection, const std::string& actor, std::string_view field,
              std::uint64_t version, Secret plaintext, Done<SealedPassing> done);
    void exchange(std::shared_ptr<Exchange> going);
    void run_exchange(const std::shared_ptr<Exchange>& going);
    void keep(ConnectionId connection, std::uint64_t ticket, std::shared_ptr<JobAnswer> answer,
              Done<Connection> done);

    Parts parts_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
