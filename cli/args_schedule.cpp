// The arguments of `berth schedule`.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/schedules.h"
#include "cli/schedules_of.h"

namespace berth {
namespace {

constexpr const char* kTenant = "id, name or INTEGRATION/NAME";

void add_settings(CLI::App& command, ScheduleFields& fields) {
    command.add_option("--tz", fields.zone, "time zone, such as Europe/Berlin")->type_name("ZONE");
    command.add_option("--gap", fields.gap, "times that the clocks jump over")
        ->check(CLI::IsMember({"skip", "at_end", "shifted"}))
        ->type_name("skip|at_end|shifted");
    command.add_option("--overlap", fields.overlap, "times that the clocks show twice")
        ->check(CLI::IsMember({"first", "second", "both"}))
        ->type_name("first|second|both");
    command.add_option("--jitter", fields.jitter, "spread tenants over so long, such as 5m")
        ->type_name("DURATION");
    command.add_option("--missed", fields.missed, "after a downtime or a pause, make up")
        ->check(CLI::IsMember({"skip", "one", "all"}))
        ->type_name("skip|one|all");
    command.add_option("--window", fields.window, "what was missed longer ago is left out")
        ->type_name("DURATION");
    command.add_option("--when-busy", fields.when_busy, "while the last run still goes on")
        ->check(CLI::IsMember({"queue", "skip"}))
        ->type_name("queue|skip");
}

void add_kept(CLI::App& group, Action& chosen) {
    const auto integration = std::make_shared<std::string>();
    add_command(group, "list", "all schedules and when they fire next", "  berth schedule list",
                chosen,
                [integration](Session& session) { return schedule_list(session, *integration); })
        .add_option("--integration", *integration, "only of this one: id or name");

    const auto tenant = std::make_shared<std::string>();
    add_command(group, "show", "a tenant's schedule and where it stands",
                "  berth schedule show acme", chosen,
                [tenant](Session& session) { return schedule_show(session, *tenant); })
        .add_option("TENANT", *tenant, kTenant)
        ->required();

    const auto fields = std::make_shared<ScheduleFields>();
    CLI::App& set = add_command(
        group, "set", "set or change a tenant's schedule",
        "  berth schedule set acme '*/15 * * * *'\n"
        "  berth schedule set acme '30 2 * * *' --tz Europe/Berlin --missed all --window 6h\n"
        "  berth schedule set acme ''                  none\n"
        "  berth schedule set acme --follow            the integration's default again",
        chosen,
        [tenant, fields](Session& session) { return schedule_set(session, *tenant, *fields); });
    set.add_option("TENANT", *tenant, kTenant)->required();
    set.add_option("TEXT", fields->text, "cron text, or an interval such as '@every 15m'");
    set.add_flag("--follow", fields->follow_integration, "nothing of its own");
    add_settings(set, *fields);

    const auto count = std::make_shared<std::int64_t>(20);
    CLI::App& history = add_command(
        group, "history", "what became of each due instant, the newest first",
        "  berth schedule history acme", chosen,
        [tenant, count](Session& session) { return schedule_history(session, *tenant, *count); });
    history.add_option("TENANT", *tenant, kTenant)->required();
    history.add_option("--limit", *count, "how many")->check(CLI::Range(1, 500));

    const auto coming = std::make_shared<std::int64_t>(10);
    CLI::App& preview = add_command(
        group, "preview", "when a tenant's schedule fires next", "  berth schedule preview acme",
        chosen,
        [tenant, coming](Session& session) { return schedule_preview(session, *tenant, *coming); });
    preview.add_option("TENANT", *tenant, kTenant)->required();
    preview.add_option("--count", *coming, "how many")->check(CLI::Range(1, 500));
}

void add_policy(CLI::App& group, Action& chosen) {
    const auto integration = std::make_shared<std::string>();
    const auto fields = std::make_shared<PolicyFields>();
    CLI::App& policy = add_command(
        group, "policy", "show or change an integration's default schedule and its caps",
        "  berth schedule policy shop-sync\n"
        "  berth schedule policy shop-sync --text '0 * * * *' --jitter 10m\n"
        "  berth schedule policy shop-sync --allow '0 * * * *' --allow '0 0 * * *'\n"
        "  berth schedule policy shop-sync --allow any --shortest 15m\n"
        "  berth schedule policy shop-sync --most-running 4 --starts-per-minute 60",
        chosen, [integration, fields](Session& session) {
            return integration_policy(session, *integration, *fields);
        });
    policy.add_option("INTEGRATION", *integration, "id or name")->required();
    policy.add_option("--text", fields->schedule.text, "the default; '' for none");
    add_settings(policy, fields->schedule);
    policy.add_option("--allow", fields->allowed, "a text that users may choose; 'any' for all");
    policy
        .add_option("--shortest", fields->shortest,
                    "the shortest time between two firings that users may choose; 0: any")
        ->type_name("DURATION");
    policy.add_option("--most-running", fields->most_running, "runs at once; 0: no cap");
    policy.add_option("--most-waiting", fields->most_waiting,
                      "waiting triggers; more are refused; 0: no cap");
    policy.add_option("--starts-per-minute", fields->starts_per_minute, "0: no cap");
    policy.add_option("--tenant-starts-per-minute", fields->tenant_starts_per_minute, "0: no cap");
    policy.add_option("--retries", fields->retries, "of a failed run; 0: none");
    policy.add_option("--retry-first", fields->retry_first, "the first delay; it doubles")
        ->type_name("DURATION");
    policy.add_option("--retry-longest", fields->retry_longest, "the longest delay")
        ->type_name("DURATION");
}

}  // namespace

void add_schedule_commands(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "schedule", "when integrations run");
    add_kept(group, chosen);
    add_policy(group, chosen);
    const auto options = std::make_shared<ExplainOptions>();
    CLI::App& explain = add_command(
        group, "explain", "what a schedule means, when it fires, what clock changes do to it",
        "  berth schedule explain '*/15 9-17 * * MON-FRI' --tz Europe/Berlin\n"
        "  berth schedule explain '30 2 * * *' --tz America/New_York --gap shifted\n"
        "  berth schedule explain '@every 90m' --jitter 5m --tenant 7\n"
        "\n"
        "Asks no daemon. docs/schedules.md tells what a schedule may hold.",
        chosen, [options](Session& session) { return explain_schedule(session, *options); });
    explain.add_option("text", options->text, "cron text, or an interval such as '@every 15m'")
        ->type_name("TEXT")
        ->required();
    explain.add_option("--tz", options->zone, "the schedule's time zone, such as Europe/Berlin")
        ->type_name("ZONE")
        ->capture_default_str();
    explain.add_option("--gap", options->gap, "times that the clocks jump over")
        ->check(CLI::IsMember({"skip", "at_end", "shifted"}))
        ->type_name("skip|at_end|shifted")
        ->capture_default_str();
    explain.add_option("--overlap", options->overlap, "times that the clocks show twice")
        ->check(CLI::IsMember({"first", "second", "both"}))
        ->type_name("first|second|both")
        ->capture_default_str();
    explain.add_flag("--seconds", options->seconds, "allow a sixth field in front, for the second");
    explain.add_option("--jitter", options->jitter, "spread tenants over so long, such as 5m")
        ->type_name("DURATION");
    explain.add_option("--tenant", options->tenant, "the tenant whose jitter to tell, by its id")
        ->check(CLI::PositiveNumber)
        ->type_name("ID");
    explain.add_option("--count", options->count, "how many firings to list")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    explain
        .add_option("--now", options->now, "as if it were this time, such as 2027-03-27T12:00:00Z")
        ->type_name("TIME");
}

}  // namespace berth
