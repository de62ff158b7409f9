// The arguments of `berth tenant` and `berth connection`.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/tenants.h"

namespace berth {
namespace {

constexpr const char* kTenant = "id, name or INTEGRATION/NAME";

void add_tenant_fields(CLI::App& command, TenantFields& fields) {
    command.add_option("--schedule", fields.schedule, "cron text, such as '*/15 * * * *'")
        ->type_name("CRON");
    CLI::Option* release =
        command.add_option("--release", fields.release, "stay on this release: id, name or tag");
    command.add_option("--channel", fields.channel, "follow the default or the latest release")
        ->check(CLI::IsMember({"Default", "Latest"}))
        ->excludes(release);
    command.add_option("--configs", fields.configs, "settings: JSON, @file or -")
        ->type_name("JSON");
}

// A command that changes one field.
void add_change(CLI::App& group, Action& chosen, const char* name, const char* summary,
                const TenantFields& fields) {
    const auto tenant = std::make_shared<std::string>();
    add_command(
        group, name, summary, std::string{"  berth tenant "} + name + " acme", chosen,
        [tenant, fields](Session& session) { return tenant_update(session, *tenant, fields); })
        .add_option("TENANT", *tenant, kTenant)
        ->required();
}

void add_sync(CLI::App& group, Action& chosen) {
    const auto tenant = std::make_shared<std::string>();
    const auto options = std::make_shared<SyncOptions>();
    CLI::App& sync = add_command(
        group, "sync", "run a tenant's integration now",
        "  berth tenant sync acme -f                   follow its log; exit 4 if it fails\n"
        "  berth tenant sync acme --mode init --wait   wait in silence\n"
        "  berth tenant sync acme --payload '{\"order\": 17}'\n"
        "  berth tenant sync acme --payload @order.json --idempotency-key order-17",
        chosen, [=](Session& session) { return tenant_sync(session, *tenant, *options); });
    sync.add_option("TENANT", *tenant, kTenant)->required();
    sync.add_option("--mode", options->mode, "what the run is for")
        ->check(CLI::IsMember({"normal", "init"}))
        ->capture_default_str();
    sync.add_option("--payload", options->payload, "for the script: JSON, @file or -")
        ->type_name("JSON");
    add_trigger_options(sync, options->idempotency_key, options->after);
}

void add_tenants(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "tenant", "customers who have installed an integration");
    const auto filter = std::make_shared<TenantFilter>();
    CLI::App& list =
        add_command(group, "list", "list tenants",
                    "  berth tenant list\n  berth tenant list --integration shop-sync --archived",
                    chosen, [filter](Session& session) { return tenant_list(session, *filter); });
    list.add_option("--integration", filter->integration, "only of this one: id or name");
    list.add_option("--user", filter->user_name, "only of this user name");
    list.add_flag("--archived", filter->archived, "the archived ones too");
    add_paging(list, filter->paging);

    const auto tenant = std::make_shared<std::string>();
    add_command(group, "show", "show one tenant",
                "  berth tenant show acme\n  berth tenant show shop-sync/acme", chosen,
                [tenant](Session& session) { return tenant_show(session, *tenant); })
        .add_option("TENANT", *tenant, kTenant)
        ->required();

    const auto for_ever = std::make_shared<bool>(false);
    CLI::App& gone = add_command(
        group, "delete", "delete all that a tenant has, for ever",
        "  berth tenant delete acme --for-ever\n"
        "\n"
        "Its data key goes, too: no secret of it can be opened again, but from an older\n"
        "backup. 'berth tenant archive' puts it away and keeps all.",
        chosen, [tenant](Session& session) { return tenant_delete(session, *tenant); });
    gone.add_option("TENANT", *tenant, kTenant)->required();
    gone.add_flag("--for-ever", *for_ever, "it is meant")->required();

    const auto integration = std::make_shared<std::string>();
    const auto fields = std::make_shared<TenantFields>();
    CLI::App& create =
        add_command(group, "create", "install an integration for a customer",
                    "  berth tenant create acme --integration shop-sync --schedule '0 * * * *'\n"
                    "  berth tenant create acme --integration shop-sync --configs @acme.json",
                    chosen, [tenant, integration, fields](Session& session) {
                        return tenant_create(session, *tenant, *integration, *fields);
                    });
    create.add_option("NAME", *tenant, "lower-case letters, digits and inner '-'")->required();
    create.add_option("--integration", *integration, "id or name")->required();
    create.add_option("--user", fields->user_name, "the customer's user name");
    add_tenant_fields(create, *fields);

    CLI::App& update = add_command(group, "update", "change a tenant; what is not named stays",
                                   "  berth tenant update acme --schedule '*/30 * * * *'\n"
                                   "  berth tenant update acme --channel Latest",
                                   chosen, [tenant, fields](Session& session) {
                                       return tenant_update(session, *tenant, *fields);
                                   });
    update.add_option("TENANT", *tenant, kTenant)->required();
    update.add_option("--name", fields->name, "a new name");
    add_tenant_fields(update, *fields);

    const auto change = [](auto member, bool value) {
        TenantFields one;
        one.*member = value;
        return one;
    };
    add_change(group, chosen, "archive", "put a tenant away",
               change(&TenantFields::archived, true));
    add_change(group, chosen, "restore", "take an archived tenant back",
               change(&TenantFields::archived, false));
    add_change(group, chosen, "pause", "let its schedule start no runs; sync still does",
               change(&TenantFields::paused, true));
    add_change(group, chosen, "resume", "let its schedule start runs",
               change(&TenantFields::paused, false));
    add_sync(group, chosen);

    const auto wish = std::make_shared<AuthLinkWish>(AuthLinkWish::show);
    CLI::App& link = add_command(
        group, "auth-link", "the link under which a customer connects a tenant without an account",
        "  berth tenant auth-link acme            show it\n"
        "  berth tenant auth-link acme --new      make one, in the place of the one before\n"
        "  berth tenant auth-link acme --revoke",
        chosen,
        [tenant, wish](Session& session) { return tenant_auth_link(session, *tenant, *wish); });
    link.add_option("TENANT", *tenant, kTenant)->required();
    auto* fresh = link.add_flag_callback(
        "--new", [wish] { *wish = AuthLinkWish::fresh; }, "make one");
    link.add_flag_callback(
            "--revoke", [wish] { *wish = AuthLinkWish::revoke; }, "let it lead nowhere")
        ->excludes(fresh);

    const auto set = std::make_shared<std::optional<std::string>>();
    CLI::App& metadata = add_command(
        group, "metadata", "show a tenant's metadata, or merge keys into it",
        "  berth tenant metadata acme\n"
        "  berth tenant metadata acme --set '{\"plan\": \"pro\"}'",
        chosen,
        [tenant, set](Session& session) { return tenant_metadata(session, *tenant, *set); });
    metadata.add_option("TENANT", *tenant, kTenant)->required();
    metadata.add_option("--set", *set, "keys to merge: JSON, @file or -")->type_name("JSON");
}

void add_connect(CLI::App& group, Action& chosen, const char* name, const char* summary) {
    const auto set = std::make_shared<ConnectionSet>();
    CLI::App& set_command = add_command(
        group, name, summary,
        "  berth connection set acme shop api_key=- < key.txt\n"
        "  berth connection set acme sftp user=@user.txt private_key=@id_ed25519\n"
        "  berth connection set acme shop --prompt api_key\n"
        "  berth connection set --global shop-sync crm api_key=-\n"
        "\n"
        "One line end at the end of a file or of standard input is dropped. 'FIELD=VALUE' works\n"
        "too, but 'ps' and the shell's history show it. Values are never printed.",
        chosen, [set](Session& session) { return connection_set(session, *set); });
    set_command.add_option("OWNER", set->owner, "the tenant; with --global, the integration")
        ->required();
    set_command.add_option("CONNECTOR", set->connector, "the connector's name")->required();
    set_command.add_option("FIELD", set->fields, "FIELD=-, FIELD=@file or FIELD=VALUE")
        ->type_name("");
    set_command.add_option("--prompt", set->prompts, "ask for this field; may be repeated")
        ->type_name("FIELD")
        ->allow_extra_args(false);
    set_command.add_flag("--global", set->global, "of a global connector of an integration");
}

void add_connections(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "connection", "a tenant's credentials");
    const auto owner = std::make_shared<std::string>();
    add_command(group, "list", "list a tenant's connections: names of fields, never values",
                "  berth connection list acme", chosen,
                [owner](Session& session) { return connection_list(session, *owner); })
        .add_option("TENANT", *owner, kTenant)
        ->required();

    const auto shown = std::make_shared<std::string>();
    CLI::App& show = add_command(
        group, "show", "show a tenant's connection and what it was before",
        "  berth connection show acme shop", chosen,
        [owner, shown](Session& session) { return connection_show(session, *owner, *shown); });
    show.add_option("TENANT", *owner, kTenant)->required();
    show.add_option("CONNECTOR", *shown, "the connector's name")->required();

    add_connect(group, chosen, "connect", "store credentials, sealed");
    add_connect(group, chosen, "reconnect", "store new credentials; what is not named stays");
    add_connect(group, chosen, "set", "the same as connect");

    const auto connector = std::make_shared<std::string>();
    CLI::App& disconnect = add_command(
        group, "disconnect", "forget a tenant's credentials of one connector",
        "  berth connection disconnect acme shop", chosen, [owner, connector](Session& session) {
            return connection_disconnect(session, *owner, *connector);
        });
    disconnect.add_option("TENANT", *owner, kTenant)->required();
    disconnect.add_option("CONNECTOR", *connector, "the connector's name")->required();
}

}  // namespace

void add_tenant_commands(CLI::App& app, Action& chosen) {
    add_tenants(app, chosen);
    add_connections(app, chosen);
}

}  // namespace berth
