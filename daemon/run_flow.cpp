// The way to the runner, and the ways off it: preparing, handing over, giving back,
// cancelling, stopping, and finding each other again.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/log.h"
#include "daemon/manifests.h"
#include "daemon/run_end.h"
#include "daemon/run_flow_live.h"
#include "store/cancels.h"

namespace berth {

RunFlow::RunFlow(Parts parts, std::function<void(RunId)> ended)
    : parts_{std::move(parts)},
      ended_{std::move(ended)},
      away_{parts_.loop, [this] {
                all_lost(
                    fmt::format("berth-runner was not there for {} s",
                                duration_cast<std::chrono::seconds>(parts_.runner_away).count()));
            }} {}

RunFlow::~RunFlow() { *alive_ = false; }

RunFlow::LivePtr RunFlow::find(std::int64_t run_id, int attempt) const {
    const auto found = live_.find(RunId{run_id});
    // The fence: what an older attempt still says is not heard.
    return found == live_.end() || found->second->run.attempt != attempt ? nullptr : found->second;
}

RunFlow::LivePtr RunFlow::hold(const Run& run) {
    auto live = std::make_shared<Live>(parts_.loop, run, [this, id = run.id] {
        const auto held = live_.find(id);
        if (held != live_.end()) proceed(LivePtr{held->second});
    });
    return live_[run.id] = std::move(live);
}

void RunFlow::launch(const Run& run) {
    const LivePtr live = hold(run);
    auto prepared = prepared_->with([&](auto& starts) { return starts.extract(run.id); });
    if (run.state == RunState::preparing) return prepare(live);
    if (prepared.empty() || prepared.mapped().start.attempt != run.attempt) return give_back(live);
    send(live, prepared.mapped().start);
}

std::function<void(Db&, Run&, Time)> RunFlow::start_at_once() {
    return [prepared = prepared_, settings = parts_.settings](Db& db, Run& run, Time now) {
        auto start = berth::start_at_once(db, run, settings, now);
        if (!start) return;
        prepared->with([&](auto& starts) { starts.insert_or_assign(run.id, std::move(*start)); });
    };
}

void RunFlow::expect(const HandedOver& before) {
    const LivePtr live = hold(before.run);
    live->stage = Stage::with_runner;
    live->started = before.run.state == RunState::running;
    live->heard_connections = live->stored_connections = before.connections;
    if (before.cancel_by) live->cancelled = By{*before.cancel_by, parts_.clock.now()};
    if (!away_.armed()) away_.start(parts_.runner_away);
}

// Ours are adopted; what else it has was given up, and dies there.
void RunFlow::live_runs(const std::vector<ipc::RunName>& runs) {
    away_.stop();
    std::vector<ipc::RunName> ours;
    std::set<LivePtr> there;
    for (const ipc::RunName& run : runs)
        if (const LivePtr live = find(run.run_id, run.attempt)) {
            ours.push_back(run);
            there.insert(live);
        }
    parts_.runner.adopt(std::move(ours));
    for (const auto& [id, live] : std::map{live_}) {
        if (there.contains(live)) confirm(live);
        if (live->stage != Stage::with_runner) continue;
        if (!there.contains(live))
            finish(live, Lost{"berth-runner no longer has it"}, {});
        else if (live->cancelled || live->stopping)
            parts_.runner.cancel(id.value, live->run.attempt);
    }
}

void RunFlow::runner_gone() { away_.start(parts_.runner_away); }

void RunFlow::all_lost(const std::string& why) {
    for (const auto& [id, live] : std::map{live_})
        if (live->stage == Stage::with_runner) finish(live, Lost{why}, {});
}

std::size_t RunFlow::unsettled() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        live_, [](const auto& entry) { return entry.second->stage != Stage::with_runner; }));
}

// What the store could not do is tried again.
void RunFlow::proceed(const LivePtr& live) {
    switch (live->stage) {
        case Stage::renewing: return;
        case Stage::preparing: return prepare(live);
        case Stage::giving_back: return give_back(live);
        case Stage::with_runner:
        case Stage::ended:
            flush(live);
            keep_connections(live);
            return store_end(live);
    }
}

void RunFlow::prepare(const LivePtr& live) {
    if (live->cancelled) return finish(live, Cancelled{}, {});
    if (closed_) return give_back(live);
    if (!parts_.tokens) return prepare_now(live);
    live->stage = Stage::renewing;
    parts_.tokens->before_run(live->run.id, [this, live, alive = alive_](TokensReady ready) {
        if (*alive && live->stage == Stage::renewing) tokens_ready(live, std::move(ready));
    });
}

// What the provider refuses ends the run; while it is out the run makes room for others.
void RunFlow::tokens_ready(const LivePtr& live, TokensReady ready) {
    live->stage = Stage::preparing;
    switch (ready.end) {
        case TokensReady::End::fresh: return prepare_now(live);
        case TokensReady::End::refused: return finish(live, RefreshFailed{ready.why}, {});
        case TokensReady::End::ours: return finish(live, SetupFailed{ready.why, 0}, {});
        case TokensReady::End::later:
            live->waits_for = std::move(ready.why);
            live->waits_until = ready.when;
            return give_back(live);
    }
}

void RunFlow::prepare_now(const LivePtr& live) {
    parts_.store.write([id = live->run.id, now = parts_.clock.now(), settings = parts_.settings](
                           Db& db) { return gather(db, id, now, settings); },
                       [this, live, alive = alive_](Result<RunMaterial> material) {
                           if (!*alive) return;
                           if (material) return make(std::move(*material));
                           if (heals(material.error())) return not_prepared(live, material.error());
                           finish(live, SetupFailed{material.error().message, ENODATA}, {});
                       });
}

// The environment is put together off the loop: payloads can be large. What runs
// there knows the run by its id: a Live, with its timer, dies on the loop alone.
void RunFlow::make(RunMaterial material) {
    auto held = std::make_shared<RunMaterial>(std::move(material));
    parts_.work.run([this, alive = alive_, &loop = parts_.loop, settings = parts_.settings, held] {
        auto start = std::make_shared<Result<PreparedStart>>(PreparedStart{});
        try {
            *start = make_start(*held, settings);
        } catch (const std::exception& error) {  // the boundary of this run
            *start = fail(FailureKind::invalid, "{}", error.what());
        }
        loop.post([this, alive, id = held->run.id.value, attempt = held->run.attempt, start] {
            if (!*alive) return;
            const LivePtr live = find(id, attempt);
            if (!live) return;
            if (!*start) return finish(live, SetupFailed{start->error().message, EINVAL}, {});
            hand_over(live, std::move(**start));
        });
    });
}

void RunFlow::not_prepared(const LivePtr& live, const Failure& why) {
    log_error("cannot prepare a run, trying again",
              {{"run", live->run.id.str()}, {"reason", why.message}});
    live->retry.start(kStoreRetry);
}

void RunFlow::hand_over(const LivePtr& live, PreparedStart prepared) {
    if (live->cancelled) return finish(live, Cancelled{}, {});
    if (closed_ || !parts_.runner.ready()) return give_back(live);
    auto held = std::make_shared<ipc::Start>(std::move(prepared.start));
    RunEnd known;
    known.grants = std::move(prepared.grants);
    // Nothing when its secrets were changed since they were read: the runner would take them for
    // an old copy.
    parts_.store.write(
        [run = live->run, known, held,
         now = parts_.clock.now()](Db& db) -> Result<std::optional<Run>> {
            if (!are_latest(db, held->manifests)) return std::nullopt;
            auto moved = move_run(db, run.id, run.attempt, RunState::starting, "", now, known);
            if (!moved) return pass_on(moved);
            return std::move(*moved);
        },
        [this, live, held, alive = alive_](Result<std::optional<Run>> moved) {
            if (!*alive) return;
            if (moved && !*moved) return prepare(live);
            if (moved) {
                live->run = std::move(**moved);
                return send(live, *held);
            }
            if (heals(moved.error())) return not_prepared(live, moved.error());
            finish(live, Lost{moved.error().message}, {});
        });
}

// The last moment to think better of it: after this something may have run.
void RunFlow::send(const LivePtr& live, const ipc::Start& start) {
    if (live->cancelled) return finish(live, Cancelled{}, {});
    if (closed_ || !parts_.runner.ready()) return give_back(live);
    live->stage = Stage::with_runner;
    parts_.runner.start(start);
}

// The runner, or we, are being restarted: nothing has run yet, so the run waits again.
void RunFlow::give_back(const LivePtr& live) {
    live->stage = Stage::giving_back;
    std::string why = live->waits_for;
    if (why.empty()) why = closed_ ? "the daemon is being stopped" : "the runner was not there";
    parts_.store.finish(
        [run = live->run, why, until = live->waits_until, now = parts_.clock.now()](Db& db) {
            auto moved = move_run(db, run.id, run.attempt, RunState::queued, why, now);
            if (moved && until) put_off(db, run.id, now, *until);
            return moved;
        },
        [this, live, alive = alive_](Result<Run> moved) {
            if (!*alive) return;
            if (!moved && heals(moved.error())) return live->retry.start(kStoreRetry);
            if (!moved) return finish(live, Lost{moved.error().message}, {});
            const RunId id = live->run.id;
            live_.erase(id);
            if (live->cancelled)
                return cancel_waiting(*live->cancelled, id, [](Result<RunView>) {});
            ended_(id);
        });
}

void RunFlow::end_when_it_may(const LivePtr& live, const By& by) {
    live->cancelled = by;
    if (live->stage == Stage::renewing) return finish(live, Cancelled{}, {});
    if (live->stage == Stage::with_runner)
        parts_.runner.cancel(live->run.id.value, live->run.attempt);
}

// Whoever is told that it will end finds it ended, also when we die in between.
void RunFlow::cancel(const By& by, RunId id, Done<RunView> done) {
    const auto found = live_.find(id);
    if (found == live_.end()) return cancel_waiting(by, id, std::move(done));
    const LivePtr live = found->second;
    const bool late = live->stage == Stage::ended;
    if (!late) end_when_it_may(live, by);
    parts_.store.finish(
        [by, id, late, outcome = live->outcome](Db& db) -> Result<RunView> {
            if (late)
                return fail(FailureKind::conflict, "run '{}' has ended already: {}", id.str(),
                            describe(outcome));
            // It may end by itself before this is written: that is what was wanted.
            if (auto run = get_run(db, id); run && is_final(run->state)) return view_run(db, id);
            if (auto asked = request_cancel(db, by, id); !asked) return pass_on(asked);
            return view_run(db, id);
        },
        std::move(done));
}

// Not in our hands: final, waiting again in the queue, or on its way here, begun already.
void RunFlow::cancel_waiting(const By& by, RunId id, Done<RunView> done) {
    parts_.store.finish(
        [by, id](Db& db) -> Result<RunView> {
            auto run = get_run(db, id);
            if (!run) return pass_on(run);
            if (is_final(run->state))
                return fail(FailureKind::conflict, "run '{}' has ended already: {}", id.str(),
                            to_string(run->state));
            if (run->state == RunState::starting) {
                if (auto asked = request_cancel(db, by, id); !asked) return pass_on(asked);
                return view_run(db, id);
            }
            auto moved = move_run(db, id, run->attempt, RunState::cancelled,
                                  "cancelled by " + by.actor, by.now);
            if (!moved) return pass_on(moved);
            return view_run(db, id);
        },
        [this, by, id, alive = alive_, done = std::move(done)](Result<RunView> view) mutable {
            if (!*alive) return;
            const bool ended = view && is_final(view->run.state);
            if (const auto found = live_.find(id); found != live_.end()) {  // it has come meanwhile
                if (view && !ended) end_when_it_may(found->second, by);
            } else {
                if (ended) {
                    ++counts_.ended[view->run.state];
                    parts_.hub.end(*view);
                }
                ended_(id);  // its tenant's other triggers may run now
            }
            done(std::move(view));
        });
}

void RunFlow::close() {
    closed_ = true;
    for (const auto& [id, live] : std::map{live_})
        if (live->stage == Stage::renewing) {
            give_back(live);
        } else if (live->stage == Stage::preparing && live->retry.armed()) {
            live->retry.stop();
            proceed(live);
        }
}

void RunFlow::stop_all() {
    for (const auto& [id, live] : std::map{live_}) {
        live->stopping = true;
        if (live->stage == Stage::with_runner) parts_.runner.cancel(id.value, live->run.attempt);
    }
}

}  // namespace berth
