// The arguments of `berth run` and `berth log`.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/runs.h"

namespace berth {
namespace {

constexpr const char* kRun = "id, or a tenant's name for its newest run";

void add_log_options(CLI::App& command, LogOptions& options) {
    command.add_option("--stream", options.stream, "only this one")
        ->check(CLI::IsMember({"stdout", "stderr"}));
    command.add_flag("--raw", options.raw,
                     "bytes as they are; escape sequences in them reach your terminal");
    command.add_flag("-t,--times", options.times, "the time of each line, when following");
}

void add_rerun(CLI::App& group, Action& chosen) {
    const auto run = std::make_shared<std::string>();
    const auto options = std::make_shared<RerunOptions>();
    CLI::App& rerun = add_command(
        group, "rerun", "run a run of the past once more, with what it was given",
        "  berth run rerun 17 -f                            exactly as it was\n"
        "  berth run rerun 17 --release current             the same input, today's code\n"
        "  berth run rerun 17 --config current --state current\n"
        "  berth run rerun 17 --config @configs.json --state '{\"cursor\": 40}' --keep-state\n"
        "\n"
        "It gets the triggers that run was handed, and today's secrets.",
        chosen, [=](Session& session) { return run_rerun(session, *run, *options); });
    rerun.add_option("RUN", *run, kRun)->required();
    rerun
        .add_option("--config", options->configs,
                    "original, current, or other configs: JSON, @file or -")
        ->type_name("original|current|JSON")
        ->capture_default_str();
    rerun
        .add_option("--state", options->state,
                    "what it finds as the last run's output: original, current, or text, @file "
                    "or -")
        ->type_name("original|current|TEXT")
        ->capture_default_str();
    rerun.add_option("--release", options->release, "the code that it runs")
        ->check(CLI::IsMember({"original", "current"}))
        ->capture_default_str();
    rerun.add_flag("--keep-state", options->keeps_state,
                   "what it prints is the state of the runs after it");
    add_trigger_options(rerun, options->idempotency_key, options->after);
}

void add_runs(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "run", "what has run, runs and will run");
    const auto filter = std::make_shared<RunFilter>();
    CLI::App& list =
        add_command(group, "list", "list runs, the newest first",
                    "  berth run list\n  berth run list --tenant acme --state failed_timeout",
                    chosen, [filter](Session& session) { return run_list(session, *filter); });
    list.add_option("--tenant", filter->tenant, "only of this one: id or name");
    list.add_option("--integration", filter->integration, "only of this one: id or name");
    list.add_option("--state", filter->state, "only in this state, such as running or succeeded");
    add_paging(list, filter->paging);

    const auto run = std::make_shared<std::string>();
    add_command(group, "show", "show one run and its course",
                "  berth run show 17\n  berth run show acme", chosen,
                [run](Session& session) { return run_show(session, *run); })
        .add_option("RUN", *run, kRun)
        ->required();
    const auto paging = std::make_shared<Paging>();
    CLI::App& connections = add_command(
        group, "connections", "list what a run connected to, or was not let connect to",
        "  berth run connections 17\n  berth run connections acme --sort received_bytes --desc",
        chosen,
        [run, paging](Session& session) { return run_connections(session, *run, *paging); });
    connections.add_option("RUN", *run, kRun)->required();
    add_paging(connections, *paging);
    add_rerun(group, chosen);
    add_command(group, "cancel", "stop a run", "  berth run cancel 17", chosen,
                [run](Session& session) { return run_cancel(session, *run); })
        .add_option("RUN", *run, kRun)
        ->required();
    add_command(group, "trigger-status", "which run a trigger became part of",
                "  berth run trigger-status 0f8fad5bd9cb469fa16570867728950e", chosen,
                [run](Session& session) { return run_trigger_status(session, *run); })
        .add_option("TRIGGER", *run, "the id that 'berth tenant sync' printed")
        ->required();

    const auto options = std::make_shared<LogOptions>();
    options->follow = true;
    CLI::App& follow = add_command(
        group, "follow", "follow a run's log to its end; the same as 'berth log RUN -f'",
        "  berth run follow 17", chosen,
        [run, options](Session& session) { return run_log(session, *run, *options); });
    follow.add_option("RUN", *run, kRun)->required();
    add_log_options(follow, *options);
}

}  // namespace

void add_run_commands(CLI::App& app, Action& chosen) {
    add_runs(app, chosen);
    const auto run = std::make_shared<std::string>();
    const auto options = std::make_shared<LogOptions>();
    CLI::App& log = add_command(
        app, "log", "what a run has printed",
        "  berth log 17\n"
        "  berth log acme -f                 the newest run of 'acme', until its end\n"
        "  berth log 17 --stream stdout      only what it printed there\n"
        "\n"
        "With -f, lines begin with 'out| ', 'err| ' or, for Berth's own remarks, '--- '.",
        chosen, [run, options](Session& session) { return run_log(session, *run, *options); });
    log.add_option("RUN", *run, kRun)->required();
    log.add_flag("-f,--follow", options->follow, "until the end of the run; exit 4 if it fails");
    add_log_options(log, *options);
}

}  // namespace berth
