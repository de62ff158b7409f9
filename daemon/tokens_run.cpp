// Tokens before a run: all that it gets at once, and what becomes of the run when one of
// them cannot be had.
#include <algorithm>
#include <utility>

#include "daemon/token_answer.h"
#include "daemon/tokens.h"

namespace berth {
namespace {

using End = TokensReady::End;

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
            if (!tokens) return done({End::ours, tokens.error().message, {}});
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

}  // namespace berth
