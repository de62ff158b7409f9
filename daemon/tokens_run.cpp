// Who asks for tokens: a run, for all that it gets, a call, and a timer for those that
// nobody asks for.
#include <algorithm>
#include <utility>

#include "daemon/store_retry.h"
#include "daemon/token_answer.h"
#include "daemon/tokens.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
using End = TokensReady::End;

constexpr auto kIdleAgain = 1h;
constexpr std::int64_t kIdleAtOnce = 4;

// The one that decides: what is final goes before what may yet come.
bool graver(End a, End b) {
    const auto rank = [](End end) {
        switch (end) {
            case End::fresh: return 0;
            case End::later: return 1;
            case End::ours: return 2;
            case End::refused: return 3;
        }
        return 0;
    };
    return rank(a) > rank(b);
}

// Of one run, until all its connections have answered.
struct Gathering {
    std::size_t missing = 0;
    TokensReady gravest;
    Callback<void(TokensReady)> done;
};

}  // namespace

void Tokens::before_run(RunId run, Callback<void(TokensReady)> done) {
    parts_.store.read(
        [run, now = parts_.clock.now()](Db& db) { return run_tokens(db, run, now); },
        [this, run, alive = alive_, done = std::move(done)](Result<RunTokens> tokens) mutable {
            if (!*alive) return;
            if (!tokens) {
                // Nobody can say how long it has waited, and nothing could be put on record.
                const End end = heals(tokens.error()) ? End::later : End::ours;
                return done({end, tokens.error().message, parts_.clock.now() + kOursAgain});
            }
            if (tokens->stale.empty()) return done({});
            const auto all = std::make_shared<Gathering>();
            all->missing = tokens->stale.size();
            all->done = std::move(done);
            for (const ConnectionId id : tokens->stale)
                ensure(id, tokens->need_until,
                       [this, run, alive, all, until = tokens->patient_until](TokensReady ready) {
                           if (!*alive) return;
                           if (graver(ready.end, all->gravest.end)) all->gravest = ready;
                           if (--all->missing == 0)
                               judge_run(run, until, std::move(all->gravest), std::move(all->done));
                       });
        });
}

// What is out may come back while the run can wait, and a token that has some life left is
// better than no run.
void Tokens::judge_run(RunId run, Time patient_until, TokensReady ready,
                       Callback<void(TokensReady)> done) {
    if (ready.end == End::fresh || ready.end == End::refused) return done(std::move(ready));
    parts_.store.read(
        [run, now = parts_.clock.now()](Db& db) { return tokens_usable(db, run, now); },
        [this, patient_until, ready = std::move(ready), done = std::move(done),
         alive = alive_](Result<bool> usable) mutable {
            if (!*alive) return;
            const bool ours = ready.end == End::ours;
            if (!ours && usable && *usable) return done({});
            if (std::max(ready.when, parts_.clock.now()) < patient_until)
                return done({End::later, std::move(ready.why), ready.when});
            if (!ours) ready.end = End::refused;
            done(std::move(ready));
        });
}

void Tokens::ensure_fresh(ConnectionId id, Time need_until, Done<void> done) {
    ensure(id, need_until,
           [this, id, alive = alive_, done = std::move(done)](TokensReady ready) mutable {
               if (!*alive || ready.end == End::fresh) return done({});
               if (ready.end == End::refused)
                   return done(fail(FailureKind::denied, "{}", ready.why));
               parts_.store.read(
                   [id, now = parts_.clock.now()](Db& db) {
                       const auto state = token_of(db, id);
                       return !state || still_usable(*state, now);
                   },
                   [why = ready.why, done = std::move(done)](Result<bool> usable) mutable {
                       if (usable && *usable) return done({});
                       done(fail(FailureKind::unavailable, "{}", why));
                   });
           });
}

void Tokens::wake_for_idle() {
    parts_.store.read([](Db& db) { return next_keep_alive(db); },
                      [this, alive = alive_](Result<std::optional<Time>> next) {
                          if (!*alive || !open_ || (next && !*next)) return;
                          const auto now = parts_.clock.now();
                          const auto wait = next ? ceil<std::chrono::milliseconds>(**next - now)
                                                 : std::chrono::milliseconds{kIdleAgain};
                          // No longer than that: the wall clock may be set.
                          idle_.start(std::clamp<std::chrono::milliseconds>(wait, 1s, kIdleAgain));
                      });
}

void Tokens::keep_alive() {
    parts_.store.read(
        [now = parts_.clock.now()](Db& db) { return due_tokens(db, now, kIdleAtOnce); },
        [this, alive = alive_](Result<std::vector<ConnectionId>> due) {
            if (!*alive || !open_) return;
            if (!due || due->empty()) return wake_for_idle();
            for (const ConnectionId id : *due)
                ensure(id, kRenewNow, [this, id, alive](TokensReady ready) {
                    if (!*alive) return;
                    const Time now = parts_.clock.now();
                    const Time until = now + (ready.end == End::fresh ? kKeepAlive : kIdleAgain);
                    parts_.store.write(
                        [id, now, until](Db& db) { put_off_keep_alive(db, id, now, until); },
                        [this, alive](Result<void>) {
                            if (*alive && open_) wake_for_idle();
                        });
                });
        });
}

}  // namespace berth
