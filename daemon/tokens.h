// Tokens that are good for as long as somebody needs them: renewed before a run or a call,
// once per connection however many wait, and now and then when nobody does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/timer.h"
#include "daemon/jobs.h"
#include "daemon/keys.h"
#include "daemon/oauth_exchange.h"
#include "store/store.h"

namespace berth {

// How it went for whoever needs tokens.
struct TokensReady {
    enum class End {
        fresh,
        refused,  // by the provider: reconnect, or provision again; `why` says which
        later,    // the provider is out: not before `when`
        ours      // there is no sandbox, or no runner
    };
    End end = End::fresh;
    std::string why;
    Time when{};
};

// What RunFlow asks before it prepares a run. `later` only while the run can still wait.
class FreshTokens {
public:
    virtual ~FreshTokens() = default;
    virtual void before_run(RunId run, Callback<void(TokensReady)> done) = 0;
};

struct KeptAnswer;

// Whether the tokens that this run gets are good for all of its time. Part of a transaction.
// Thread: store.
bool tokens_serve(Db& db, const Run& run, Time now);

// Thread: loop.
class Tokens final : public FreshTokens {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        Store& store;
        Keys& keys;
        Jobs& jobs;
        KindLookup kinds;
        OAuthSettings settings;
    };
    explicit Tokens(Parts parts);
    ~Tokens() override;

    void open();  // keeps idle tokens alive from now on
    void close();

    void before_run(RunId run, Callback<void(TokensReady)> done) override;
    // For calls. Also good when there are no tokens. `denied`: reconnect; `unavailable`: the
    // provider, or we, are out.
    void ensure_fresh(ConnectionId connection, Time need_until, Done<void> done);
    // Whoever waits for this connection is to look again: it was connected or disconnected.
    void look_again(ConnectionId connection);

    struct Counts {
        std::uint64_t renewed = 0;
        std::uint64_t refused = 0;
        std::uint64_t outages = 0;
        std::uint64_t ours = 0;  // no runner, no sandbox, a job that was killed
    };
    const Counts& counts() const { return counts_; }

private:
    // Asked for with this, a token is renewed however long it would live.
    static constexpr Time kRenewNow = Time::max();
    struct Flight;
    struct Asked;
    using FlightPtr = std::shared_ptr<Flight>;
    using Waiting = Callback<void(TokensReady)>;

    FlightPtr flight_of(ConnectionId connection);
    void ensure(ConnectionId connection, Time need_until, Waiting done);
    void look(const FlightPtr& flight);
    void decided(const FlightPtr& flight, Result<Asked> asked);
    void ask(const FlightPtr& flight, Asked asked);
    void drop(const FlightPtr& flight, std::uint64_t ticket, TokensReady ready);
    void lost(const FlightPtr& flight, TokensReady ready);
    void keep(ConnectionId connection, std::uint64_t ticket, std::shared_ptr<JobAnswer> answer);
    void kept(const FlightPtr& flight, std::uint64_t ticket, std::shared_ptr<JobAnswer> answer,
              Result<KeptAnswer> result);
    void tell(ConnectionId connection, const KeptAnswer& kept);
    void land(const FlightPtr& flight, TokensReady ready);
    void judge_run(RunId run, Time patient_until, TokensReady ready, Waiting done);
    void keep_alive();
    void wake_for_idle();

    Parts parts_;
    std::map<ConnectionId, FlightPtr> flights_;
    Counts counts_;
    bool open_ = false;
    Timer idle_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
