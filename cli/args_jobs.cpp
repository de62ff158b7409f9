// The arguments of `berth job` and `berth connection call`.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/jobs.h"

namespace berth {
namespace {

void add_jobs(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "job", "what Berth did with the secrets of connections");
    const auto filter = std::make_shared<JobListFilter>();
    CLI::App& list =
        add_command(group, "list", "list token exchanges and connector calls, the newest first",
                    "  berth job list\n  berth job list --tenant acme --state failed", chosen,
                    [filter](Session& session) { return job_list(session, *filter); });
    list.add_option("--tenant", filter->tenant, "only of this one: id or name");
    list.add_option("--state", filter->state, "only in this state")
        ->check(CLI::IsMember({"running", "succeeded", "failed", "lost"}));
    filter->paging.sort = "id";
    filter->paging.descending = true;
    add_paging(list, filter->paging);

    const auto id = std::make_shared<std::string>();
    add_command(group, "show", "show one, with whom it spoke to and its log", "  berth job show 17",
                chosen, [id](Session& session) { return job_show(session, *id); })
        .add_option("JOB", *id, "its number")
        ->required();
}

void add_call(CLI::App& group, Action& chosen) {
    const auto options = std::make_shared<CallOptions>();
    CLI::App& call = add_command(
        group, "call", "ask the partner of a connection, with its credentials",
        "  berth connection call acme shop /admin/api/orders.json --query limit=5\n"
        "  berth connection call acme crm https://api.example.com/v1/notes --body @note.json\n"
        "  berth connection call acme erp /soap --form soap --body @envelope.xml\n"
        "\n"
        "It goes to the hosts of the connector's kind only. The credentials are put in inside a\n"
        "sandbox; they are not shown, also where the partner repeats them.",
        chosen, [options](Session& session) { return connection_call(session, *options); });
    call.add_option("TENANT", options->tenant, "id or name")->required();
    call.add_option("CONNECTOR", options->connector, "its name")->required();
    call.add_option("TARGET", options->target, "an address, or a path below the kind's own")
        ->required();
    call.add_option("-X,--method", options->method, "GET, or POST with a body, unless given");
    call.add_option("--header", options->headers, "'Name: value'; may be repeated");
    call.add_option("--query", options->query, "name=value; may be repeated");
    call.add_option("--body", options->body, "JSON or XML, @file or -");
    call.add_option("--form", options->form, "of body and answer")
        ->check(CLI::IsMember({"json", "soap", "xml"}))
        ->capture_default_str();
}

}  // namespace

void add_job_commands(CLI::App& app, Action& chosen) {
    add_jobs(app, chosen);
    add_call(*app.get_subcommand("connection"), chosen);
}

}  // namespace berth
