#include "model/run_state.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include <array>
#include <cstdlib>
#include <system_error>

#include "base/overloaded.h"

namespace berth {
namespace {

constexpr std::array kAll{
    RunState::queued,          RunState::preparing,      RunState::starting,
    RunState::running,         RunState::succeeded,      RunState::failed_integration,
    RunState::failed_refresh,  RunState::failed_timeout, RunState::failed_metadata,
    RunState::failed_platform, RunState::cancelled,
};

}  // namespace

bool may_become(RunState from, RunState to) {
    using enum RunState;
    switch (from) {  // no default: a new state must not compile until it has its line here
        case queued: return to == preparing || to == cancelled;
        case preparing:
            // queued: the daemon died before the runner had heard of it; nothing ran.
            return to == starting || to == queued || to == failed_refresh ||
                   to == failed_platform || to == cancelled;
        case starting:
            // queued: `on_lost: retry` after a crash, with the next attempt.
            return to == running || to == queued || to == failed_integration ||
                   to == failed_platform || to == cancelled;
        case running:
            return to == succeeded || to == queued || to == failed_integration ||
                   to == failed_timeout || to == failed_metadata || to == failed_platform ||
                   to == cancelled;
        case succeeded:
        case failed_integration:
        case failed_refresh:
        case failed_timeout:
        case failed_metadata:
        case failed_platform:
        case cancelled: return false;  // final: a rerun is a new run
    }
    std::abort();
}

bool is_final(RunState state) {
    for (const RunState to : kAll)
        if (may_become(state, to)) return false;
    return true;
}

std::string_view to_string(RunState state) {
    using enum RunState;
    switch (state) {
        case queued: return "queued";
        case preparing: return "preparing";
        case starting: return "starting";
        case running: return "running";
        case succeeded: return "succeeded";
        case failed_integration: return "failed_integration";
        case failed_refresh: return "failed_refresh";
        case failed_timeout: return "failed_timeout";
        case failed_metadata: return "failed_metadata";
        case failed_platform: return "failed_platform";
        case cancelled: return "cancelled";
    }
    std::abort();
}

std::optional<RunState> parse_run_state(std::string_view word) {
    for (const RunState state : kAll)
        if (to_string(state) == word) return state;
    return {};
}

std::string_view phase_text(RunState state) {
    using enum RunState;
    switch (state) {
        case queued:
        case preparing: return "Pending";
        case starting:
        case running: return "Running";
        case succeeded: return "Succeeded";
        case failed_integration: return "Failed (Integration Issue)";
        case failed_refresh: return "Failed (Refresh)";
        case failed_timeout: return "Failed (Timeout)";
        case failed_metadata: return "Failed (Metadata Validation)";
        case failed_platform: return "Failed (Platform Issue)";
        case cancelled: return "Cancelled";
    }
    std::abort();
}

RunState end_state(const Outcome& outcome) {
    using enum RunState;
    return std::visit(
        overloaded{
            [](const Exited& o) { return o.code == 0 ? succeeded : failed_integration; },
            [](const Signalled&) { return failed_integration; },
            [](const TimedOut&) { return failed_timeout; },
            [](const OutOfMemory&) { return failed_integration; },
            [](const Cancelled&) { return cancelled; },
            [](const SetupFailed&) { return failed_platform; },
            [](const Lost&) { return failed_platform; },
            [](const StateTooLarge&) { return failed_integration; },
            [](const MetadataInvalid&) { return failed_metadata; },
            [](const RefreshFailed&) { return failed_refresh; },
        },
        outcome);
}

std::string describe(const Outcome& outcome) {
    constexpr std::uint64_t kMiB = 1024 * 1024;
    return std::visit(
        overloaded{
            [](const Exited& o) { return fmt::format("exited with code {}", o.code); },
            [](const Signalled& o) {
                const char* name = ::sigabbrev_np(o.signo);  // null: a real-time signal
                return fmt::format("ended by signal {} ({}{})", o.signo, name ? "SIG" : "",
                                   name ? name : "real-time");
            },
            [](const TimedOut& o) {
                return fmt::format("stopped after its limit of {} s", o.limit.count());
            },
            [](const OutOfMemory& o) {
                return fmt::format("killed: out of memory at {} MiB", o.limit_bytes / kMiB);
            },
            [](const Cancelled&) { return std::string{"cancelled"}; },
            [](const SetupFailed& o) {
                if (o.err == 0) return fmt::format("could not be set up: {}", o.step);
                return fmt::format("could not be set up: {}: {}", o.step,
                                   std::generic_category().message(o.err));
            },
            [](const Lost& o) { return fmt::format("lost: {}", o.why); },
            [](const StateTooLarge& o) {
                return fmt::format(
                    "its last stdout line has {} bytes; the state kept for the next run holds 96 "
                    "KiB (print large output to stderr)",
                    o.bytes);
            },
            [](const MetadataInvalid& o) {
                return fmt::format("its last stdout line does not fit metadata_schema: {}", o.why);
            },
            [](const RefreshFailed& o) { return o.why; },
        },
        outcome);
}

}  // namespace berth
