// One run between `preparing` and its final state; for the two halves of run_flow.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "daemon/run_flow.h"
#include "daemon/store_retry.h"
#include "model/run_state.h"

namespace berth {

using namespace std::chrono_literals;

// Where a run is. Each stage is left in one direction only.
enum class RunFlow::Stage {
    renewing,     // its tokens; leaving it is not waited for
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
    std::optional<By> cancelled;  // by whom
    std::string waits_for;        // when it is given back: what, and until when
    std::optional<Time> waits_until;
    bool stopping = false;                   // the daemon is being stopped
    bool started = false;                    // heard
    std::uint64_t heard_seq = 0;             // of this attempt, as the runner counts
    std::uint64_t stored_seq = 0;            // likewise
    std::vector<LogChunk> unsent;            // printed, not with the log store yet
    std::size_t storing = 0;                 // appends the log store has not confirmed
    std::vector<RunConnection> connections;  // it made, not with the store yet
    std::uint64_t heard_connections = 0;     // the number of the last
    std::uint64_t stored_connections = 0;    // likewise
    bool keeping_connections = false;
    Outcome outcome;  // of Stage::ended
    RunEnd end;
    Time ended_at{};
    bool writing_end = false;

    ipc::RunName name() const { return {run.id.value, run.attempt}; }
    Timer retry;  // what the store refused is offered again
};

}  // namespace berth
