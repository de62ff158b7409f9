// `berth connection authorize`: a link to the provider, or, where nobody has to consent, a
// connection at once.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/resolve.h"

namespace berth {
namespace {

struct Authorize {
    std::string owner;
    std::string connector;
    bool global = false;
};

Result<Exit> authorize(Session& session, const Authorize& wanted) {
    auto owner = wanted.global ? find_integration(session.api(), wanted.owner)
                               : find_tenant(session.api(), wanted.owner);
    if (!owner) return pass_on(owner);
    auto done = session.api().send(
        "POST",
        api_path({wanted.global ? "integrations" : "tenants", field(*owner, "id"), "connectors",
                  wanted.connector, "authorize"}),
        "");
    if (!done) return pass_on(done);
    if (session.json()) {
        session.print(*done);
        return Exit::ok;
    }
    if (!done->contains("url")) {
        session.remark(
            fmt::format("'{}' of '{}' is connected", wanted.connector, field(*owner, "name")));
        return Exit::ok;
    }
    Record record;
    record.line("open", field(*done, "url"));
    record.line("until", short_time(field(*done, "expires")) + " UTC, once, in one browser");
    session.print(record);
    return Exit::ok;
}

}  // namespace

void add_authorize_command(CLI::App& app, Action& chosen) {
    const auto wanted = std::make_shared<Authorize>();
    CLI::App& command = add_command(
        *app.get_subcommand("connection"), "authorize", "connect by OAuth2",
        "  berth connection authorize acme hubspot\n"
        "  berth connection authorize --global shop-sync netsuite\n"
        "\n"
        "Prints a link to open in a browser, where the provider asks for consent. Customers\n"
        "without an account use their auth link.",
        chosen, [wanted](Session& session) { return authorize(session, *wanted); });
    command.add_option("OWNER", wanted->owner, "a tenant, or with --global an integration")
        ->required();
    command.add_option("CONNECTOR", wanted->connector, "its name")->required();
    command.add_flag("--global", wanted->global, "the integration's own, for all its tenants");
}

}  // namespace berth
