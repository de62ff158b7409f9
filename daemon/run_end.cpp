#include "daemon/run_end.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/run_start.h"
#include "model/limits.h"
#include "scheduler/retry.h"
#include "source/config_schema.h"
#include "store/cancels.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/schedules.h"
#include "store/tenants.h"
#include "store/triggers.h"

namespace berth {
namespace {

// The lists of an init run's output: definition name → options (contract 2.6).
std::string options_in(const Json& printed) {
    Json options = Json::object();
    for (const auto& [name, value] : printed.items())
        if (value.is_array()) options[name] = value;
    return options.empty() ? "" : to_text(options);
}

// Attempts that were handed to the runner. Others began an attempt and were given
// back with nothing run: they do not count.
std::ptrdiff_t times_started(Db& db, RunId id) {
    return std::ranges::count(list_run_events(db, id), RunState::starting, &RunEvent::state);
}

// The next attempt of a failed run, later, if its integration wants retries.
std::optional<Result<RunView>> try_again(Db& db, const Run& run, RunState ended,
                                         const std::string& why, const std::optional<Usage>& usage,
                                         Time now) {
    const IntegrationPolicy policy = get_policy(db, run.integration_id);
    const RetryRule rule{policy.retries, policy.retry_first, policy.retry_longest};
    if (rule.retries == 0 || !may_become(run.state, RunState::queued)) return {};
    // Spread by the ids alone: the same run waits the same time wherever it is judged.
    const auto dice = static_cast<std::uint64_t>(run.id.value) * 0x9e3779b97f4a7c15U +
                      static_cast<std::uint64_t>(run.attempt);
    const auto delay = retry_after(rule, ended, times_started(db, run.id), dice);
    if (!delay) return {};
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*delay).count();
    RunEnd end;
    end.usage = usage;
    auto moved = move_run(db, run.id, run.attempt, RunState::queued,
                          fmt::format("{}; trying again in {} s", why, seconds), now, end);
    if (!moved) return Result<RunView>{pass_on(moved)};
    put_off(db, run.id, now, now + *delay);
    return view_run(db, run.id);
}

}  // namespace

Outcome outcome_of(const ipc::Ended& ended) {
    using enum ipc::EndKind;
    switch (ended.kind) {
        case exited: return Exited{static_cast<int>(ended.number)};
        case signalled: return Signalled{static_cast<int>(ended.number)};
        case timed_out: return TimedOut{std::chrono::seconds{ended.number}};
        case out_of_memory: return OutOfMemory{static_cast<std::uint64_t>(ended.number)};
        case cancelled: return Cancelled{};
        case setup_failed:
            // Nothing ran, and the key is being fetched: as good as a run that was lost.
            if (ended.number == ENOKEY) return Lost{ended.text};
            return SetupFailed{ended.text, static_cast<int>(ended.number)};
        case lost: return Lost{ended.text};
        case state_too_large: return StateTooLarge{static_cast<std::uint64_t>(ended.number)};
    }
    return Lost{fmt::format("the runner reported an unknown end ({})",
                            static_cast<std::uint32_t>(ended.kind))};
}

Outcome judge(const Outcome& outcome, RunMode mode, const std::string& std_out,
              const std::string& metadata_schema, Printed& printed) {
    if (outcome != Outcome{Exited{0}} || std_out.empty()) return outcome;
    const auto value = parse_json(std_out);
    if (!metadata_schema.empty()) {
        if (!value) return MetadataInvalid{value.error().message};
        const auto problems = check_metadata(Json::parse(metadata_schema), *value);
        if (!problems.empty()) return MetadataInvalid{join_problems(problems)};
        if (!value->empty()) printed.metadata_patch = to_text(*value);
    }
    if (mode == RunMode::init && value && value->is_object())
        printed.dynamic_configs = options_in(*value);
    return outcome;
}

std::string reason_of(const Outcome& outcome, const std::vector<std::string>& refused_syscalls) {
    std::string text = describe(outcome);
    if (refused_syscalls.empty() || end_state(outcome) != RunState::failed_integration) return text;
    text += "; the sandbox refused: ";
    for (const std::string& call : refused_syscalls)
        text += (&call == &refused_syscalls.front() ? "" : ", ") + call;
    return text;
}

Result<RunView> view_run(Db& db, RunId id) {
    auto run = get_run(db, id);
    if (!run) return pass_on(run);
    return RunView{std::move(*run), triggers_of_run(db, id)};
}

Result<RunView> write_end(Db& db, const Run& run, const Outcome& outcome, RunEnd end, Time now) {
    auto integration = get_integration(db, run.integration_id);
    if (!integration) return pass_on(integration);
    auto release = get_release(db, run.release_id);
    if (!release) return pass_on(release);

    const bool unwanted = cancel_requested(db, run.id).has_value();
    if (unwanted && std::holds_alternative<Lost>(outcome))
        return write_end(db, run, Cancelled{}, std::move(end), now);
    const bool again = std::holds_alternative<Lost>(outcome) &&
                       integration->on_lost == OnLost::retry &&
                       times_started(db, run.id) < limits::kMaxAttempts;
    if (again) {
        RunEnd used;
        used.usage = end.usage;
        auto moved =
            move_run(db, run.id, run.attempt, RunState::queued, describe(outcome), now, used);
        if (!moved) return pass_on(moved);
        return view_run(db, run.id);
    }

    const By by{"run " + run.id.str(), now};
    Printed printed;
    Outcome judged =
        judge(outcome, run.mode, end.std_out.value_or(""), release->metadata_schema, printed);
    if (!run.keeps_state) printed = {};
    if (!printed.metadata_patch.empty()) {
        auto merged = merge_metadata(db, by, run.tenant_id, printed.metadata_patch);
        if (!merged) judged = MetadataInvalid{merged.error().message};  // grown past its limit
    }
    const RunState state = end_state(judged);
    if (!unwanted) {
        if (auto next = try_again(db, run, state, describe(judged), end.usage, now))
            return std::move(*next);
    }
    // The store could not be told when it began to run, but it has.
    if (run.state == RunState::starting && !may_become(run.state, state)) {
        auto ran = move_run(db, run.id, run.attempt, RunState::running, "noted at its end", now);
        if (!ran) return pass_on(ran);
    }
    if (!end.reason)
        end.reason = reason_of(judged, end.refused_syscalls.value_or(std::vector<std::string>{}));
    auto moved = move_run(db, run.id, run.attempt, state, *end.reason, now, end);
    if (!moved) return pass_on(moved);

    if (state == RunState::succeeded && !printed.dynamic_configs.empty()) {
        auto set = set_dynamic_configs(db, by, run.tenant_id, printed.dynamic_configs);
        if (!set) return pass_on(set);
    }
    return view_run(db, run.id);
}

}  // namespace berth
