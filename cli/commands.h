// The command line as a tree: one add_...() per group, each in a file of its own,
// since the library that parses arguments is heavy and stays in those files.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/follow.h"
#include "cli/session.h"

namespace CLI {
class App;
}

namespace berth {

using Action = std::function<Result<Exit>(Session&)>;

void add_catalog_commands(CLI::App& app, Action& chosen);   // integration, release, connector
void add_tenant_commands(CLI::App& app, Action& chosen);    // tenant, connection
void add_webhook_commands(CLI::App& app, Action& chosen);   // webhook
void add_run_commands(CLI::App& app, Action& chosen);       // run, log
void add_schedule_commands(CLI::App& app, Action& chosen);  // schedule
void add_host_commands(CLI::App& app,
                       Action& chosen);  // init, doctor, health, version, audit, backup, restore

void add_vault_commands(CLI::App& app, Action& chosen);  // vault
// job, and `connection call` in the group that add_tenant_commands() made.
void add_job_commands(CLI::App& app, Action& chosen);
void add_authorize_command(CLI::App& app, Action& chosen);  // in the same group

// A group that needs one of its commands.
CLI::App& add_group(CLI::App& app, const std::string& name, const std::string& summary);
// A command; `examples` stand at the end of its help, one per line.
CLI::App& add_command(CLI::App& group, const std::string& name, const std::string& summary,
                      const std::string& examples, Action& chosen, Action action);
void add_paging(CLI::App& command, Paging& paging);
// Of commands that ask for a run: its key, and whether to wait for its end.
void add_trigger_options(CLI::App& command, std::optional<std::string>& idempotency_key,
                         AfterOptions& after);

}  // namespace berth
