// The arguments of `berth integration`, `berth release` and `berth connector`.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/catalog.h"
#include "cli/commands.h"

namespace berth {
namespace {

void add_integration_fields(CLI::App& command, IntegrationFields& fields) {
    command.add_option("--long-name", fields.long_name, "the name for people");
    command
        .add_option("--connector", fields.connectors,
                    "a connector of which each tenant has a connection; may be repeated")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command
        .add_option("--global-connector", fields.global_connectors,
                    "a connector connected once for all tenants; may be repeated")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command
        .add_option("--network", fields.network,
                    "what its runs may reach: nothing, public addresses (at first), or all that "
                    "this host reaches, which must be granted in the configuration")
        ->check(CLI::IsMember({"none", "egress", "host"}));
    command
        .add_option("--egress-name", fields.egress_names,
                    "the only names its runs may reach, '*.' in front for all below; may be "
                    "repeated (at first any public one)")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command.add_option("--on-lost", fields.on_lost, "when a run is lost with its host")
        ->check(CLI::IsMember({"fail", "retry"}));
    command.add_option("--wall-time", fields.wall_time_seconds, "time limit of a run")
        ->type_name("SECONDS");
    command.add_option("--memory", fields.memory_mib, "memory limit of a run")->type_name("MIB");
    command.add_option("--channel", fields.channel, "the release that new tenants follow")
        ->check(CLI::IsMember({"Default", "Latest"}));
}

void add_integrations(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "integration", "what you offer your customers");
    const auto list = std::make_shared<ListOptions>();
    CLI::App& list_command =
        add_command(group, "list", "list integrations",
                    "  berth integration list\n  berth --json integration list --archived", chosen,
                    [list](Session& session) { return integration_list(session, *list); });
    list_command.add_flag("--archived", list->archived, "the archived ones too");
    add_paging(list_command, list->paging);

    const auto name = std::make_shared<std::string>();
    add_command(group, "show", "show one integration",
                "  berth integration show shop-sync\n  berth integration show 3", chosen,
                [name](Session& session) { return integration_show(session, *name); })
        .add_option("INTEGRATION", *name, "id or name")
        ->required();

    const auto fields = std::make_shared<IntegrationFields>();
    CLI::App& create = add_command(
        group, "create", "make an integration",
        "  berth integration create shop-sync --long-name 'Shop to CRM' --connector shop\n"
        "  berth integration create report --global-connector crm --network none\n"
        "  berth integration create mailer --egress-name '*.example.com'",
        chosen,
        [name, fields](Session& session) { return integration_create(session, *name, *fields); });
    create.add_option("NAME", *name, "lower-case letters, digits and inner '-'")->required();
    add_integration_fields(create, *fields);

    CLI::App& update = add_command(
        group, "update", "change an integration; what is not named stays",
        "  berth integration update shop-sync --default-release latest\n"
        "  berth integration update shop-sync --pause",
        chosen,
        [name, fields](Session& session) { return integration_update(session, *name, *fields); });
    update.add_option("INTEGRATION", *name, "id or name")->required();
    add_integration_fields(update, *fields);
    update.add_flag("--any-egress-name", fields->any_egress, "any public name again")
        ->excludes("--egress-name");
    update.add_option("--default-release", fields->default_release, "id, name, tag or 'latest'")
        ->type_name("RELEASE");
    update.add_flag_callback(
        "--pause", [fields] { fields->paused = true; }, "start no runs; what is triggered waits");
    update.add_flag_callback(
        "--resume", [fields] { fields->paused = false; }, "start runs again");
    update.add_flag_callback(
        "--archive", [fields] { fields->archived = true; }, "put it away");
    update.add_flag_callback(
        "--restore", [fields] { fields->archived = false; }, "take it back");
}

void add_releases(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "release", "frozen code of an integration");
    const auto integration = std::make_shared<std::string>();
    add_command(group, "list", "list the releases of an integration",
                "  berth release list shop-sync", chosen,
                [integration](Session& session) { return release_list(session, *integration); })
        .add_option("INTEGRATION", *integration, "id or name")
        ->required();

    const auto release = std::make_shared<std::string>();
    CLI::App& show =
        add_command(group, "show", "show one release",
                    "  berth release show shop-sync default\n  berth release show shop-sync 12",
                    chosen, [integration, release](Session& session) {
                        return release_show(session, *integration, *release);
                    });
    show.add_option("INTEGRATION", *integration, "id or name")->required();
    show.add_option("RELEASE", *release, "id, name, tag, 'default' or 'latest'")->required();

    const auto upload = std::make_shared<ReleaseUpload>();
    CLI::App& create = add_command(
        group, "create", "freeze a folder as a release",
        "  berth release create shop-sync ./shop-sync --default\n"
        "  berth release create shop-sync . --manifest deploy/PANDIUM.yaml --tag beta\n"
        "\n"
        "The folder is taken as it is, without '.git'; its 'build' line is not run.",
        chosen, [upload](Session& session) { return release_create(session, *upload); });
    create.add_option("INTEGRATION", upload->integration, "id or name")->required();
    create.add_option("DIR", upload->dir, "the folder with PANDIUM.yaml")->required();
    create.add_option("--name", upload->name, "its name; else the daemon gives one");
    create.add_option("--tag", upload->tag, "a word to find it by");
    create.add_option("--manifest", upload->manifest, "the manifest's path below DIR")
        ->type_name("PATH");
    create.add_flag("--default", upload->make_default, "make it the integration's default");
}

void add_connectors(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "connector", "what integrations connect to");
    const auto paging = std::make_shared<Paging>();
    add_paging(add_command(group, "list", "list connectors", "  berth connector list", chosen,
                           [paging](Session& session) { return connector_list(session, *paging); }),
               *paging);

    const auto name = std::make_shared<std::string>();
    const auto kind = std::make_shared<std::string>();
    CLI::App& create = add_command(
        group, "create", "make a connector", "  berth connector create hubspot-oauth", chosen,
        [name, kind](Session& session) { return connector_create(session, *name, *kind); });
    create.add_option("NAME", *name, "lower-case letters, digits and inner '-'")->required();
    create.add_option("--kind", *kind, "else 'custom'; 'berth connector kinds' lists them");

    add_command(group, "kinds", "list the kinds of connectors", "  berth connector kinds", chosen,
                [](Session& session) { return connector_kinds(session); });
    add_command(group, "kind", "show what a kind asks for, and which variables runs get",
                "  berth connector kind shopify", chosen,
                [kind](Session& session) { return connector_kind(session, *kind); })
        .add_option("KIND", *kind, "its name")
        ->required();

    const auto provision = std::make_shared<Provision>();
    CLI::App& provision_command = add_command(
        group, "provision", "store the client id and the like of an integration's app, or show it",
        "  berth connector provision shop-sync shop client_id=abc --prompt client_secret\n"
        "  berth connector provision shop-sync shop\n"
        "  berth connector provision shop-sync shop --forget",
        chosen, [provision](Session& session) { return connector_provision(session, *provision); });
    provision_command.add_option("INTEGRATION", provision->integration, "id or name")->required();
    provision_command.add_option("CONNECTOR", provision->connector, "the connector's name")
        ->required();
    provision_command.add_option("FIELD", provision->fields, "FIELD=-, FIELD=@file or FIELD=VALUE")
        ->type_name("");
    provision_command.add_option("--prompt", provision->prompts, "ask for this field")
        ->type_name("FIELD")
        ->allow_extra_args(false);
    provision_command.add_flag("--forget", provision->forget, "delete all of it");

    const auto integration = std::make_shared<std::string>();
    const auto global = std::make_shared<bool>();
    CLI::App& attach =
        add_command(group, "attach", "let an integration use a connector",
                    "  berth connector attach shop-sync shop\n"
                    "  berth connector attach shop-sync crm --global",
                    chosen, [integration, name, global](Session& session) {
                        return connector_attach(session, *integration, *name,
                                                *global ? Sharing::global : Sharing::per_tenant);
                    });
    attach.add_option("INTEGRATION", *integration, "id or name")->required();
    attach.add_option("CONNECTOR", *name, "the connector's name")->required();
    attach.add_flag("--global", *global, "one connection for all tenants");
}

}  // namespace

void add_catalog_commands(CLI::App& app, Action& chosen) {
    add_integrations(app, chosen);
    add_releases(app, chosen);
    add_connectors(app, chosen);
}

}  // namespace berth
