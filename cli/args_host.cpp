// The arguments of `berth init`, `berth doctor`, `berth health`, `berth version`, `berth audit`,
// `berth backup`, `berth restore`.
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/host.h"

namespace berth {
namespace {

void add_audit(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "audit", "who changed what, and whether the record is whole");
    const auto filter = std::make_shared<AuditFilter>();
    CLI::App& list =
        add_command(group, "list", "changes and uses of secrets, the newest first",
                    "  berth audit list\n  berth audit list --before 1200 --limit 500", chosen,
                    [filter](Session& session) { return audit_list(session, *filter); });
    list.add_option("--before", filter->before, "rows below this one")
        ->check(CLI::PositiveNumber)
        ->type_name("ROW");
    list.add_option("--limit", filter->limit, "how many")
        ->check(CLI::Range(1, 500))
        ->capture_default_str();

    const auto head = std::make_shared<std::string>();
    add_command(group, "verify", "look whether a row was changed, removed or moved",
                "  berth audit verify\n"
                "  berth audit verify --head 1234:9f86d081...\n"
                "\n"
                "Exit 1 when the trail is not whole. A head is what the journal has in\n"
                "BERTH_AUDIT_HEAD: without one, a trail that was written anew from its first\n"
                "row on is not told apart.",
                chosen, [head](Session& session) { return audit_verify(session, *head); })
        .add_option("--head", *head, "a head from before, which the trail must still have")
        ->type_name("SEQ:HASH");
}

void add_backup(CLI::App& app, Action& chosen) {
    const auto where = std::make_shared<std::string>();
    add_command(app, "backup", "copy all but the root key into a file, while Berth runs",
                "  berth backup /var/backups                   a name with the time in it\n"
                "  berth backup before-the-upgrade.tar",
                chosen, [where](Session& session) { return backup(session, *where); })
        .add_option("FILE|FOLDER", *where, "the file to make, or the folder to make it in")
        ->required();
    const auto options = std::make_shared<RestoreOptions>();
    CLI::App& restore_command =
        add_command(app, "restore", "put a backup back, where no store is and no Berth runs",
                    "  sudo berth restore /var/backups/berth-20261122T131415Z.tar", chosen,
                    [options](Session& session) { return restore(session, *options); });
    restore_command.add_option("FILE|FOLDER", options->from, "what 'berth backup' has made")
        ->required();
    restore_command.add_option("--config", options->config, "the configuration")
        ->type_name("PATH")
        ->capture_default_str();
}

}  // namespace

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
    add_audit(app, chosen);
    add_backup(app, chosen);
}

}  // namespace berth
