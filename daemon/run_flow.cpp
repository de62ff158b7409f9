#include "daemon/run_flow.h"

#include <utility>

#include "base/log.h"
#include "daemon/run_end.h"
#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kStoreRetry = 500ms;  // a full disk heals by itself; we ask until it has

}  // namespace

struct RunFlow::Live {
    Live(Loop& loop, Run r, std::function<void()> on_retry)
        : run{std::move(r)}, retry{loop, std::move(on_retry)} {}
    Run run;
    bool with_runner = false;        // Start was sent
    bool cancelled = false;          // asked for
    bool stopping = false;           // the daemon is being stopped
    std::vector<LogChunk> unsent;    // printed, not with the log store yet
    std::size_t storing = 0;         // appends the log store has not confirmed
    std::optional<Outcome> outcome;  // it has ended
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
        if (held == live_.end()) return;
        const LivePtr keep = held->second;
        flush(keep);
        store_end(keep);
    });
    live_[run.id] = live;
    parts_.store.write(
        [id = run.id, now = parts_.clock.now()](Db& db) { return gather(db, id, now); },
        [this, live, alive = alive_](Result<RunMaterial> material) {
            if (!*alive) return;
            if (!material) return finish(live, SetupFailed{material.error().message, ENODATA}, {});
            // The environment is put together off the loop: payloads can be large.
            parts_.work.run([this, live, alive, environment = parts_.environment,
                             held = std::make_shared<RunMaterial>(std::move(*material))] {
                auto start = std::make_shared<Result<ipc::Start>>(make_start(*held, environment));
                parts_.loop.post([this, live, alive, start] {
                    if (!*alive) return;
                    if (!*start)
                        return finish(live, SetupFailed{start->error().message, EINVAL}, {});
                    hand_over(live, std::move(**start));
                });
            });
        });
}

void RunFlow::hand_over(const LivePtr& live, ipc::Start start) {
    if (live->cancelled) return finish(live, Cancelled{}, {});
    if (!parts_.runner.ready()) return give_back(live);
    auto held = std::make_shared<ipc::Start>(std::move(start));
    parts_.store.write(
        [run = live->run, now = parts_.clock.now()](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::starting, "", now);
        },
        [this, live, held, alive = alive_](Result<Run> moved) {
            if (!*alive) return;
            if (!moved) return finish(live, Lost{moved.error().message}, {});
            live->run = std::move(*moved);
            if (live->cancelled) return finish(live, Cancelled{}, {});
            live->with_runner = true;
            parts_.runner.start(*held);
        });
}

// The runner is being restarted: nothing has run yet, so the run waits again.
void RunFlow::give_back(const LivePtr& live) {
    parts_.store.write(
        [run = live->run, now = parts_.clock.now()](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::queued, "the runner was not there",
                            now);
        },
        [this, live, alive = alive_](Result<Run> moved) {
            if (!*alive) return;
            if (!moved) return finish(live, Lost{moved.error().message}, {});
            live_.erase(live->run.id);
            ended_(live->run.id);
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
    if (live->stopping && std::holds_alternative<Cancelled>(outcome))
        outcome = Lost{"the daemon was stopped while it ran"};
    finish(live, outcome, end);
}

void RunFlow::all_lost(const std::string& why) {
    for (const auto& [id, live] : std::map{live_})
        if (live->with_runner) finish(live, Lost{why}, {});
}

void RunFlow::finish(const LivePtr& live, const Outcome& outcome, const RunEnd& end) {
    if (live->outcome) return;
    live->outcome = outcome;
    live->end = end;
    live->ended_at = parts_.clock.now();
    store_end(live);
}

// The end is written when all output is stored: who sees a final state finds the
// whole log.
void RunFlow::store_end(const LivePtr& live) {
    if (!live->outcome || live->writing_end || live->storing > 0 || !live->unsent.empty()) return;
    live->writing_end = true;
    parts_.store.write(
        [run = live->run, outcome = *live->outcome, end = live->end,
         at = live->ended_at](Db& db) -> Result<RunView> {
            // What `live` knows may be older than the store: the writes were queued.
            auto now = get_run(db, run.id);
            if (!now) return pass_on(now);
            if (now->attempt != run.attempt)
                return fail(FailureKind::conflict, "run '{}' has a later attempt", run.id.str());
            return write_end(db, *now, outcome, end, at);
        },
        [this, live, alive = alive_](Result<RunView> view) {
            if (!*alive) return;
            live->writing_end = false;
            if (view) return let_go(live, *view);
            const bool heals = view.error().kind == FailureKind::unavailable ||
                               view.error().kind == FailureKind::busy;
            log_error("cannot record the end of a run",
                      {{"run", live->run.id.str()}, {"reason", view.error().message}});
            if (heals) return live->retry.start(kStoreRetry);
            // Refused for good: somebody else has ended this attempt.
            live_.erase(live->run.id);
            ended_(live->run.id);
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

bool RunFlow::cancel(RunId run) {
    const auto found = live_.find(run);
    if (found == live_.end() || found->second->outcome) return false;
    found->second->cancelled = true;
    if (found->second->with_runner) parts_.runner.cancel(run.value, found->second->run.attempt);
    return true;
}

void RunFlow::stop_all() {
    for (const auto& [id, live] : std::map{live_}) {
        live->stopping = true;
        cancel(id);
    }
}

}  // namespace berth
