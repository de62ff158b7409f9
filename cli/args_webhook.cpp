// The arguments of `berth webhook`.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/webhooks.h"

namespace berth {
namespace {

void add_owner(CLI::App& command, WebhookOf& of) {
    command.add_option("TENANT", of.tenant, "id, name or INTEGRATION/NAME")->required();
    command.add_option("CONNECTOR", of.connector, "the connector's name")->required();
}

}  // namespace

void add_webhook_commands(CLI::App& app, Action& chosen) {
    CLI::App& group = add_group(app, "webhook", "where providers deliver to");
    const auto of = std::make_shared<WebhookOf>();
    add_owner(add_command(group, "show", "show the address to give to a provider",
                          "  berth webhook show acme shop", chosen,
                          [of](Session& session) { return webhook_show(session, *of); }),
              *of);
    add_owner(add_command(group, "create", "make an address, if there is none yet",
                          "  berth webhook create acme shop", chosen,
                          [of](Session& session) { return webhook_create(session, *of); }),
              *of);

    const auto overlap = std::make_shared<std::optional<std::int64_t>>();
    CLI::App& rotate = add_command(
        group, "rotate", "replace the address; the one before serves a while longer",
        "  berth webhook rotate acme shop\n"
        "  berth webhook rotate acme shop --overlap 0   the one before is gone at once",
        chosen, [of, overlap](Session& session) { return webhook_rotate(session, *of, *overlap); });
    add_owner(rotate, *of);
    rotate.add_option("--overlap", *overlap, "how long the one before serves; a day if not given")
        ->type_name("SECONDS");

    add_owner(
        add_command(group, "revoke", "take no more deliveries", "  berth webhook revoke acme shop",
                    chosen, [of](Session& session) { return webhook_revoke(session, *of); }),
        *of);

    const auto limit = std::make_shared<std::int64_t>(20);
    CLI::App& deliveries = add_command(
        group, "deliveries", "list the last deliveries, and why some were refused",
        "  berth webhook deliveries acme shop", chosen,
        [of, limit](Session& session) { return webhook_deliveries(session, *of, *limit); });
    add_owner(deliveries, *of);
    deliveries.add_option("--limit", *limit, "at most so many")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
}

}  // namespace berth
