// The life of a run: its states, the one table of transitions, and the ways to
// end. Pure. design.md 3.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace berth {

// The enumerators are the words in the database, in the API and in the logs.
enum class RunState {
    queued,     // has its triggers, waits for a free place
    preparing,  // its environment is being put together
    starting,   // handed to the runner with this attempt's fence
    running,    // the script has been executed
    succeeded,
    failed_integration,  // the script's own doing
    failed_refresh,      // a credential could not be refreshed
    failed_timeout,      // over its wall time
    failed_metadata,     // what it printed does not fit its metadata_schema
    failed_platform,     // ours: does not count against the integration
    cancelled,
};

// The one table of transitions.
bool may_become(RunState from, RunState to);
bool is_final(RunState state);

std::string_view to_string(RunState state);
std::optional<RunState> parse_run_state(std::string_view word);

// The contract's text (pandium-contract.md 5.5): `Succeeded`, `Failed (Timeout)`
// ... The platform's words before the end are unknown; ours are `Pending`,
// `Running` and `Cancelled` (docs/decisions/003).
std::string_view phase_text(RunState state);

// How a started run ended, as the sandbox saw it.
struct Exited {
    int code = 0;
    bool operator==(const Exited&) const = default;
};
struct Signalled {
    int signo = 0;
    bool operator==(const Signalled&) const = default;
};
struct TimedOut {
    std::chrono::seconds limit{};
    bool operator==(const TimedOut&) const = default;
};
struct OutOfMemory {
    std::uint64_t limit_bytes = 0;
    bool operator==(const OutOfMemory&) const = default;
};
struct Cancelled {
    bool operator==(const Cancelled&) const = default;
};
// The sandbox could not be built or the program not executed.
struct SetupFailed {
    std::string step;
    int err = 0;
    bool operator==(const SetupFailed&) const = default;
};
// Its process is gone and nobody saw how it ended (a daemon died).
struct Lost {
    std::string why;
    bool operator==(const Lost&) const = default;
};
// The last stdout line is too long to be kept as state.
struct StateTooLarge {
    std::uint64_t bytes = 0;
    bool operator==(const StateTooLarge&) const = default;
};
// What it printed does not fit metadata_schema.
struct MetadataInvalid {
    std::string why;
    bool operator==(const MetadataInvalid&) const = default;
};
// A token that it needs could not be renewed: reconnect, or wait for the provider.
struct RefreshFailed {
    std::string why;
    bool operator==(const RefreshFailed&) const = default;
};
using Outcome = std::variant<Exited, Signalled, TimedOut, OutOfMemory, Cancelled, SetupFailed, Lost,
                             StateTooLarge, MetadataInvalid, RefreshFailed>;

RunState end_state(const Outcome& outcome);
// For people: `exited with code 3`, `ended by signal 31 (SIGSYS)`,
// `killed: out of memory at 256 MiB`,
// `could not be set up: mounting /proc: Operation not permitted`.
std::string describe(const Outcome& outcome);

}  // namespace berth
