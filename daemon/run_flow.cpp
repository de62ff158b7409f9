#include "daemon/run_flow.h"

#include <utility>

#include "base/log.h"
#include "daemon/run_end.h"
#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kStoreRetry = 500ms;  // a full disk heals by itself; we ask until it has

bool heals(const Failure& why) {
    return why.kind == FailureKind::unavailable || why.kind == FailureKind::busy;
}

}  // namespace

// Where a run is. Each stage is left in one direction only.
enum class RunFlow::Stage {
    preparing,    // until Start is sent: nothing of it has run
    giving_back,  // it waits again
    with_runner,
    ended,  // its output and its end are being stored
};

struct RunFlow::Live {
    Live(Loop& loop, Run r, std::function<void()> on_retry)
        : run{std::move(r)}, retry{loop, std::move(on_retry)} {}
    Run run;
    Stage stage = Stage::preparing;
    std::optional<By> cancelled;   // by whom
    bool stopping = false;         // the daemon is being stopped
    std::vector<LogChunk> unsent;  // printed, not with the log store yet
    std::size_t storing = 0;       // appends the log store has not confirmed
    Outcome outcome;               // of Stage::ended
    RunEnd end;
    Time ended_at{};
    bool writing_end = false;
    Timer retry;  // what the store refused is offered again
};

RunFlow::RunFlow(Parts parts, std::function<void(RunId)> ended)
    : parts_{std::move(parts)}, ended_{std::move(ended)} {}

RunFlow::~RunFlow() { *alive_ = false; }

RunFlow::LivePtr RunFlow::find(std::int64_t run_id, int attempt) const {
    const auto found = live_.find(RunId{run_id});
    // The fence: what an older attempt still says is not heard.
    return found == live_.end() || found->second->run.attempt != attempt ? nullptr : found->second;
}

void RunFlow::launch(const Run& run) {
    auto live = std::make_shared<Live>(parts_.loop, run, [this, id = run.id] {
        const auto held = live_.find(id);
        if (held != live_.end()) proceed(LivePtr{held->second});
    });
    live_[run.id] = live;
    prepare(live);
}

// What the store could not do is tried again.
void RunFlow::proceed(const LivePtr& live) {
    switch (live->stage) {
        case Stage::preparing: return prepare(live);
        case Stage::giving_back: return give_back(live);
        case Stage::with_runner:
        case Stage::ended: flush(live); return store_end(live);
    }
}

void RunFlow::prepare(const LivePtr& live) {
    if (live->cancelled) return finish(live, Cancelled{}, {});
    if (closed_) return give_back(live);
    parts_.store.write(
        [id = live->run.id, now = parts_.clock.now()](Db& db) { return gather(db, id, now); },
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
    parts_.work.run(
        [this, alive = alive_, &loop = parts_.loop, environment = parts_.environment, held] {
            auto start = std::make_shared<Result<ipc::Start>>(ipc::Start{});
            try {
                *start = make_start(*held, environment);
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

void RunFlow::hand_over(const LivePtr& live, ipc::Start start) {
    if (live->cancelled) return finish(live, Cancelled{}, {});
    if (closed_ || !parts_.runner.ready()) return give_back(live);
    auto held = std::make_shared<ipc::Start>(std::move(start));
    parts_.store.write(
        [run = live->run, now = parts_.clock.now()](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::starting, "", now);
        },
        [this, live, held, alive = alive_](Result<Run> moved) {
            if (!*alive) return;
            if (moved) {
                live->run = std::move(*moved);
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
    const char* why = closed_ ? "the daemon is being stopped" : "the runner was not there";
    parts_.store.write(
        [run = live->run, why, now = parts_.clock.now()](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::queued, why, now);
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

void RunFlow::started(const ipc::Started& message) {
    const LivePtr live = find(message.run_id, message.attempt);
    if (!live) return;
    parts_.store.write(
        [run = live->run, time = time_from_micros(message.time_us)](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::running, "", time);
        },
        [live, alive = alive_](Result<Run> moved) {
            if (*alive && moved) live->run = std::move(*moved);
            if (!moved)
                log_warning("cannot record that a run has started, ignoring",
                            {{"run", live->run.id.str()}, {"reason", moved.error().message}});
        });
}

void RunFlow::output(ipc::Output message) {
    const LivePtr live = find(message.run_id, message.attempt);
    if (!live) return;
    LogChunk chunk;
    chunk.run_id = live->run.id;
    // The runner counts each attempt from 1; the log of a run is one sequence.
    chunk.seq = (static_cast<std::uint64_t>(message.attempt - 1) << 32) + message.seq;
    chunk.time = time_from_micros(message.time_us);
    switch (message.stream) {
        case ipc::StreamKind::out: chunk.stream = OutputStream::out; break;
        case ipc::StreamKind::err: chunk.stream = OutputStream::err; break;
        case ipc::StreamKind::note: chunk.stream = OutputStream::note; break;
    }
    chunk.bytes = std::move(message.bytes);
    parts_.hub.publish(chunk);
    unstored_bytes_ += chunk.bytes.size();
    live->unsent.push_back(std::move(chunk));
    throttle();
    if (live->storing == 0) flush(live);  // else with what the next confirmation finds
}

void RunFlow::flush(const LivePtr& live) {
    if (live->unsent.empty() || live->storing > 0) return;
    std::vector<LogChunk> batch = std::exchange(live->unsent, {});
    auto kept = std::make_shared<std::vector<LogChunk>>(batch);
    ++live->storing;
    parts_.logs.append(std::move(batch), [this, live, kept, alive = alive_](Result<void> stored) {
        if (!*alive) return;
        --live->storing;
        if (!stored) {
            log_error("cannot store a run's output, trying again",
                      {{"run", live->run.id.str()}, {"reason", stored.error().message}});
            live->unsent.insert(live->unsent.begin(), kept->begin(), kept->end());
            live->retry.start(kStoreRetry);
            return;
        }
        for (const LogChunk& chunk : *kept)
            unstored_bytes_ -= chunk.bytes.size();
        parts_.hub.stored(live->run.id, kept->back().seq);
        throttle();
        flush(live);
        store_end(live);
    });
}

void RunFlow::throttle() {
    const bool full = unstored_bytes_ > limits::kOutputQueueBytes;
    if (full == throttled_) return;
    throttled_ = full;
    if (full)
        parts_.runner.pause();
    else
        parts_.runner.resume();
}

void RunFlow::ended(const ipc::Ended& message) {
    const LivePtr live = find(message.run_id, message.attempt);
    if (!live) return;
    RunEnd end;
    end.std_out = message.std_out;
    end.usage = Usage{message.user_us, message.system_us, message.max_rss_bytes, message.log_bytes};
    Outcome outcome = outcome_of(message);
    if (live->stopping && !live->cancelled && std::holds_alternative<Cancelled>(outcome))
        outcome = Lost{"the daemon was stopped while it ran"};
    finish(live, outcome, end);
}

void RunFlow::all_lost(const std::string& why) {
    for (const auto& [id, live] : std::map{live_})
        if (live->stage == Stage::with_runner) finish(live, Lost{why}, {});
}

void RunFlow::finish(const LivePtr& live, const Outcome& outcome, const RunEnd& end) {
    if (live->stage == Stage::ended) return;
    live->stage = Stage::ended;
    live->outcome = outcome;
    live->end = end;
    live->ended_at = parts_.clock.now();
    store_end(live);
}

// The end is written when all output is stored: who sees a final state finds the
// whole log.
void RunFlow::store_end(const LivePtr& live) {
    if (live->stage != Stage::ended || live->writing_end || live->storing > 0 ||
        !live->unsent.empty())
        return;
    live->writing_end = true;
    parts_.store.write(
        [run = live->run, outcome = live->outcome, end = live->end,
         at = live->ended_at](Db& db) -> Result<RunView> {
            // What `live` knows may be older than the store: the writes were queued.
            auto now = get_run(db, run.id);
            if (!now) return pass_on(now);
            // Somebody else has ended it, or begun a later attempt: theirs stands.
            if (is_final(now->state) || now->attempt != run.attempt) return view_run(db, run.id);
            return write_end(db, *now, outcome, end, at);
        },
        [this, live, alive = alive_](Result<RunView> view) {
            if (!*alive) return;
            live->writing_end = false;
            if (view) return let_go(live, *view);
            log_error("cannot record the end of a run, trying again",
                      {{"run", live->run.id.str()}, {"reason", view.error().message}});
            live->retry.start(kStoreRetry);
        });
}

void RunFlow::let_go(const LivePtr& live, const RunView& view) {
    live_.erase(live->run.id);
    log_info("run ended", {{"run", view.run.id.str()},
                           {"tenant", view.run.tenant_id.str()},
                           {"state", to_string(view.run.state)},
                           {"reason", view.run.reason}});
    if (is_final(view.run.state)) parts_.hub.end(view);
    ended_(view.run.id);
}

void RunFlow::cancel(const By& by, RunId id, Done<RunView> done) {
    const auto found = live_.find(id);
    if (found == live_.end()) return cancel_waiting(by, id, std::move(done));
    const LivePtr live = found->second;
    const bool late = live->stage == Stage::ended;
    if (!late) {
        live->cancelled = by;
        if (live->stage == Stage::with_runner) parts_.runner.cancel(id.value, live->run.attempt);
    }
    parts_.store.read(
        [id, late, outcome = live->outcome](Db& db) -> Result<RunView> {
            if (!late) return view_run(db, id);
            return fail(FailureKind::conflict, "run '{}' has ended already: {}", id.str(),
                        describe(outcome));
        },
        std::move(done));
}

// Not in our hands: final, or waiting again in the queue.
void RunFlow::cancel_waiting(const By& by, RunId id, Done<RunView> done) {
    parts_.store.write(
        [by, id](Db& db) -> Result<RunView> {
            auto run = get_run(db, id);
            if (!run) return pass_on(run);
            if (is_final(run->state))
                return fail(FailureKind::conflict, "run '{}' has ended already: {}", id.str(),
                            to_string(run->state));
            auto moved = move_run(db, id, run->attempt, RunState::cancelled,
                                  "cancelled by " + by.actor, by.now);
            if (!moved) return pass_on(moved);
            return view_run(db, id);
        },
        [this, id, alive = alive_, done = std::move(done)](Result<RunView> view) mutable {
            if (!*alive) return;
            if (view) parts_.hub.end(*view);
            ended_(id);  // its tenant's other triggers may run now
            done(std::move(view));
        });
}

void RunFlow::close() {
    closed_ = true;
    for (const auto& [id, live] : std::map{live_})
        if (live->stage == Stage::preparing && live->retry.armed()) {
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
