// The arguments of `berth init`, `berth doctor`, `berth health`, `berth version`.
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/host.h"

namespace berth {

void add_host_commands(CLI::App& app, Action& chosen) {
    const auto options = std::make_shared<InitOptions>();
    CLI::App& init_command =
        add_command(app, "init", "make the state directory, the root key and the configuration",
                    "  sudo berth init\n"
                    "  berth init --state-dir ./state --run-dir ./run --config ./berth.conf",
                    chosen, [options](Session& session) { return init(session, *options); });
    init_command.add_option("--state-dir", options->state_dir, "where Berth keeps its data")
        ->type_name("DIR")
        ->capture_default_str();
    init_command.add_option("--run-dir", options->run_dir, "where its sockets will be")
        ->type_name("DIR")
        ->capture_default_str();
    init_command.add_option("--config", options->config, "the configuration to write")
        ->type_name("PATH")
        ->capture_default_str();
    init_command
        .add_option("--daemon-uid", options->daemon_uid, "else user 'berth', if there is one")
        ->type_name("UID");
    init_command
        .add_option("--runner-uid", options->runner_uid,
                    "else user 'berth-runner', if there is one")
        ->type_name("UID");

    const auto state_dir = std::make_shared<std::filesystem::path>(options->state_dir);
    add_command(app, "doctor", "what protects the runs on this host, and what does not",
                "  sudo berth doctor\n"
                "  berth --json doctor\n"
                "\n"
                "Exit 1 when something is missing that runs need. As root it sees what the daemon "
                "sees.",
                chosen, [state_dir](Session& session) { return doctor(session, *state_dir); })
        .add_option("--state-dir", *state_dir, "where Berth keeps its data")
        ->type_name("DIR")
        ->capture_default_str();

    add_command(app, "health", "whether the daemon is up and ready", "  berth health && echo ready",
                chosen, [](Session& session) { return health(session); });
    add_command(app, "version", "the versions of this program and of the daemon", "  berth version",
                chosen, [](Session& session) { return version(session); });
}

}  // namespace berth
