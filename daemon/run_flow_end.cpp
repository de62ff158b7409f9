// The way back: what a run prints, and how it ended.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/log.h"
#include "daemon/run_end.h"
#include "daemon/run_flow_live.h"
#include "model/limits.h"
#include "store/leases.h"
#include "store/run_connections.h"

namespace berth {

namespace {

// The runner counts each attempt from 1; the log of a run is one sequence.
std::uint64_t first_seq(int attempt) { return static_cast<std::uint64_t>(attempt - 1) << 32; }

}  // namespace

void RunFlow::started(const ipc::Started& message) {
    const LivePtr live = find(message.run_id, message.attempt);
    if (!live || std::exchange(live->started, true)) return;
    ++(message.warm ? counts_.started_warm : counts_.started_cold);
    RunEnd known;
    known.warm = message.warm;
    // A short run has its end on record in the same commit.
    parts_.store.note(
        [run = live->run, known, time = time_from_micros(message.time_us)](Db& db) {
            return move_run(db, run.id, run.attempt, RunState::running, "", time, known);
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
    if (!live || message.seq <= live->heard_seq) return;  // or: it is said again
    live->heard_seq = message.seq;
    LogChunk chunk;
    chunk.run_id = live->run.id;
    chunk.seq = first_seq(message.attempt) + message.seq;
    // Not before its run, though the clock may be: its day is one that is looked at.
    chunk.time = std::max(time_from_micros(message.time_us), live->run.created);
    switch (message.stream) {
        case ipc::StreamKind::out: chunk.stream = OutputStream::out; break;
        case ipc::StreamKind::err: chunk.stream = OutputStream::err; break;
        case ipc::StreamKind::note: chunk.stream = OutputStream::note; break;
    }
    chunk.bytes = std::move(message.bytes);
    parts_.hub.publish(chunk);
    unstored_bytes_ += chunk.bytes.size();
    counts_.output_bytes += chunk.bytes.size();
    live->unsent.push_back(std::move(chunk));
    throttle();
    if (live->storing == 0) flush(live);  // else with what the next confirmation finds
}

void RunFlow::flush(const LivePtr& live) {
    if (live->unsent.empty() || live->storing > 0) return;
    // What is left of the disk is for runs that end; the others wait, and so do their pipes.
    if (parts_.store.full() && live->stage != Stage::ended) return live->retry.start(kStoreRetry);
    if (parts_.clock.steady() >= leased_until_) return live->retry.start(kStoreRetry);
    std::vector<LogChunk> batch = std::exchange(live->unsent, {});
    auto kept = std::make_shared<std::vector<LogChunk>>(batch);
    ++live->storing;
    parts_.logs.append(std::move(batch), [this, live, kept, alive = alive_](Result<void> stored) {
        if (!*alive) return;
        --live->storing;
        const bool taken_over = !find(live->run.id.value, live->run.attempt);
        if (!stored && !taken_over) {
            log_error("cannot store a run's output, trying again",
                      {{"run", live->run.id.str()}, {"reason", stored.error().message}});
            live->unsent.insert(live->unsent.begin(), kept->begin(), kept->end());
            live->retry.start(kStoreRetry);
            return;
        }
        for (const LogChunk& chunk : *kept)
            unstored_bytes_ -= chunk.bytes.size();
        if (taken_over) return throttle();
        parts_.hub.stored(live->run.id, kept->back().seq);
        live->stored_seq = kept->back().seq - first_seq(live->run.attempt);
        confirm(live);
        throttle();
        flush(live);
        store_end(live);
    });
}

std::vector<RunId> RunFlow::held_runs() const {
    std::vector<RunId> runs;
    for (const auto& [id, live] : live_)
        runs.push_back(id);
    return runs;
}

void RunFlow::leased(SteadyTime when, const std::vector<RunId>& lost) {
    leased_until_ = when + kLeaseTime;
    for (const RunId id : lost) {
        const auto found = live_.find(id);
        if (found == live_.end()) continue;
        const LivePtr live = std::move(found->second);
        live_.erase(found);
        log_error("another host has taken over a run, which ends here", {{"run", id.str()}});
        parts_.runner.cancel(id.value, live->run.attempt);
        live->retry.stop();
        for (const LogChunk& chunk : std::exchange(live->unsent, {}))
            unstored_bytes_ -= chunk.bytes.size();
        parts_.hub.stored(id, UINT64_MAX);  // nobody is to wait for the rest
        throttle();
        ended_(id);
    }
}

void RunFlow::connection(ipc::Connection message) {
    const LivePtr live = find(message.run_id, message.attempt);
    if (!live || message.number <= live->heard_connections) return;  // or: it is said again
    live->heard_connections = message.number;
    ++(message.refused.empty() ? counts_.connections : counts_.refused_connections);
    // berth-egress has its own limit; this is ours.
    if (message.number > kConnectionRows) return;
    RunConnection connection;
    connection.run_id = live->run.id;
    connection.attempt = message.attempt;
    connection.time = time_from_micros(message.time_us);
    connection.name = std::move(message.name);
    connection.address = std::move(message.address);
    connection.port = static_cast<std::uint16_t>(message.port);
    connection.sent_bytes = message.sent_bytes;
    connection.received_bytes = message.received_bytes;
    connection.refused = std::move(message.refused);
    live->connections.push_back(std::move(connection));
    keep_connections(live);
}

// In batches: what comes while one is being written goes with the next.
void RunFlow::keep_connections(const LivePtr& live) {
    if (live->connections.empty() || live->keeping_connections) return;
    live->keeping_connections = true;
    auto batch =
        std::make_shared<const std::vector<RunConnection>>(std::exchange(live->connections, {}));
    parts_.store.finish(
        [id = live->run.id, attempt = live->run.attempt, batch](Db& db) {
            return add_run_connections(db, id, attempt, *batch);
        },
        [this, live, batch, last = live->heard_connections,
         alive = alive_](Result<std::int64_t> kept) {
            if (!*alive) return;
            live->keeping_connections = false;
            if (!kept && heals(kept.error())) {
                live->connections.insert(live->connections.begin(), batch->begin(), batch->end());
                return live->retry.start(kStoreRetry);
            }
            if (!kept)
                log_warning("cannot record the connections of a run, ignoring",
                            {{"run", live->run.id.str()}, {"reason", kept.error().message}});
            live->stored_connections = last;
            confirm(live);
            keep_connections(live);
            store_end(live);
        });
}

// What the runner need not keep any longer.
void RunFlow::confirm(const LivePtr& live) {
    parts_.runner.stored({live->name(), live->stored_seq, live->stored_connections});
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
    if (!live) return parts_.runner.settled({message.run_id, message.attempt});
    RunEnd end;
    end.std_out = message.std_out;
    end.refused_syscalls = message.refused_syscalls;
    end.tree_empty = message.tree_empty;
    end.usage = Usage{message.user_us,           message.system_us,     message.max_rss_bytes,
                      message.memory_peak_bytes, message.io_read_bytes, message.io_write_bytes,
                      message.log_bytes};
    Outcome outcome = outcome_of(message);
    if (live->stopping && !live->cancelled && std::holds_alternative<Cancelled>(outcome))
        outcome = Lost{"the daemon was stopped while it ran"};
    finish(live, outcome, end);
}

void RunFlow::finish(const LivePtr& live, const Outcome& outcome, const RunEnd& end) {
    if (live->stage == Stage::ended) return;
    live->stage = Stage::ended;
    live->outcome = outcome;
    live->end = end;
    live->ended_at = parts_.clock.now();
    store_end(live);
}

// The end is written when all output and all connections are stored: who sees a final
// state finds the whole record.
void RunFlow::store_end(const LivePtr& live) {
    if (live->stage != Stage::ended || live->writing_end || live->storing > 0 ||
        !live->unsent.empty() || live->keeping_connections || !live->connections.empty())
        return;
    live->writing_end = true;
    parts_.store.finish(
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
    parts_.runner.settled(live->name());
    if (is_final(view.run.state)) ++counts_.ended[view.run.state];
    log_info("run ended", {{"run", view.run.id.str()},
                           {"tenant", view.run.tenant_id.str()},
                           {"state", to_string(view.run.state)},
                           {"reason", view.run.reason}});
    if (is_final(view.run.state)) parts_.hub.end(view);
    ended_(view.run.id);
}

}  // namespace berth
