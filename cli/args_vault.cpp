// The arguments of `berth vault`.
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/vault.h"

namespace berth {

void add_vault_commands(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "vault", "the keys that seal secrets, and their rotation");
    add_command(group, "status", "which keys there are, and how far a rotation is",
                "  berth vault status", chosen,
                [](Session& session) { return vault_status(session); });

    const auto rotate = std::make_shared<VaultRotate>();
    CLI::App& command = add_command(
        group, "rotate", "replace keys, while runs go on",
        "  berth vault rotate                          a new key-encryption key\n"
        "  berth vault rotate --data --tenant acme     a new data key; its secrets sealed anew\n"
        "  berth vault rotate --root --wait            after 'berth vault new-root'",
        chosen, [rotate](Session& session) { return vault_rotate(session, *rotate); });
    const auto what = [&](const char* flag, const char* word, const char* help) {
        return command.add_flag_callback(
            flag, [rotate, word] { rotate->what = word; }, help);
    };
    CLI::Option* root = what("--root", "root", "wrap all by the root key that is current");
    CLI::Option* keks = what("--keks", "kek", "a new key-encryption key (what is done unasked)");
    CLI::Option* data = what("--data", "data", "new data keys, secrets sealed anew");
    root->excludes(keks)->excludes(data);
    keks->excludes(data);
    command.add_option("--tenant", rotate->tenant, "only this one's data key")
        ->type_name("TENANT")
        ->needs(data);
    command.add_flag("--wait", rotate->wait, "until it is over");

    const auto fresh = std::make_shared<NewRoot>();
    CLI::App& root_command =
        add_command(group, "new-root", "make the file of a new root key",
                    "  sudo berth vault new-root /var/lib/berth/keys/root-2.key", chosen,
                    [fresh](Session& session) { return vault_new_root(session, *fresh); });
    root_command.add_option("FILE", fresh->file, "the file to make")->required();
    root_command
        .add_option("--runner-uid", fresh->runner_uid, "else user 'berth-runner', if there is one")
        ->type_name("UID");

    add_command(
        group, "accept-restore", "after a backup was restored: its secrets are the latest",
        "  berth vault accept-restore\n"
        "\n"
        "berth-runner refuses secrets that are older than those it has seen, since somebody\n"
        "could have put them back. Goes into the audit trail.",
        chosen, [](Session& session) { return vault_accept_restore(session); });
}

}  // namespace berth
