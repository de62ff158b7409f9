// `berth connector kinds|kind|provision`: what there is to connect to, and the integration's
// own app at a provider.
#include <nlohmann/json.hpp>

#include "cli/catalog.h"
#include "cli/fields.h"
#include "cli/input.h"
#include "cli/resolve.h"
#include "cli/tenants.h"

namespace berth {
namespace {

std::string words(const Json& list, std::string_view between = ", ") {
    std::string text;
    if (!list.is_array()) return text;
    for (const Json& word : list)
        if (word.is_string())
            text += (text.empty() ? "" : std::string{between}) + word.get<std::string>();
    return text;
}

void print_fields(Session& session, const char* heading, const Json& fields) {
    if (!fields.is_array() || fields.empty()) return;
    Table table{{heading, "SECRET", "NEEDED", "WHAT IT IS"}};
    for (const Json& one : fields) {
        const std::string help = field(one, "help");
        std::string what = field(one, "label") + (help.empty() ? "" : ": " + help);
        if (flag(one, "from_provider")) what += " (comes from the provider)";
        table.row({field(one, "name"), flag(one, "secret") ? "yes" : "no",
                   flag(one, "required") ? "yes" : "no", what});
    }
    session.print(table);
}

Result<Exit> print_provisioning(Session& session, const Json& provisioning) {
    if (session.json()) {
        session.print(provisioning);
        return Exit::ok;
    }
    Record record;
    record.line("connector", field(provisioning, "connector"));
    record.line("kind", field(provisioning, "kind"));
    const Json& fields = inner(provisioning, "fields");
    if (fields.is_object())
        for (const auto& [name, value] : fields.items())
            record.line(name, field(fields, name));
    record.line("secrets", words(inner(provisioning, "secrets")));
    record.line("missing", Cell{words(inner(provisioning, "missing")), Tone::warning});
    record.line("changed", short_time(field(provisioning, "last_change")));
    record.line("variables", words(inner(provisioning, "variables"), " "));
    session.print(record);
    return Exit::ok;
}

}  // namespace

Result<Exit> connector_kinds(Session& session) {
    auto list = session.api().get(api_path({"connector-kinds"}));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    Table table{{"KIND", "NAME", "CONNECTS BY", "WEBHOOKS"}};
    for (const Json& kind : *list)
        table.row({field(kind, "name"), field(kind, "title"), field(kind, "auth"),
                   flag(kind, "webhooks") ? "yes" : "no"});
    session.print(table);
    return Exit::ok;
}

Result<Exit> connector_kind(Session& session, const std::string& name) {
    auto kind = session.api().get(api_path({"connector-kinds", name}));
    if (!kind) return pass_on(kind);
    if (session.json()) {
        session.print(*kind);
        return Exit::ok;
    }
    Record record;
    record.line("kind", field(*kind, "name"));
    record.line("name", field(*kind, "title"));
    record.line("connects by", field(*kind, "auth"));
    record.line("webhooks", flag(*kind, "webhooks") ? "signed ones are taken" : "none");
    record.line("calls go to", words(inner(*kind, "hosts")));
    record.line("documentation", field(*kind, "documentation"));
    record.line("variables", words(inner(*kind, "variables"), " "));
    session.print(record);
    print_fields(session, "FIELD", inner(*kind, "fields"));
    print_fields(session, "PROVISIONED", inner(*kind, "provisioning"));
    return Exit::ok;
}

Result<Exit> connector_provision(Session& session, const Provision& provision) {
    auto found = find_integration(session.api(), provision.integration);
    if (!found) return pass_on(found);
    const std::string path = api_path(
        {"integrations", field(*found, "id"), "connectors", provision.connector, "provisioning"});
    if (provision.forget) {
        auto gone = session.api().send("DELETE", path, "");
        if (!gone) return pass_on(gone);
        return print_provisioning(session, *gone);
    }
    if (provision.fields.empty() && provision.prompts.empty()) {
        auto now = session.api().get(path);
        if (!now) return pass_on(now);
        return print_provisioning(session, *now);
    }
    auto fields = read_secrets(session.io, provision.fields, provision.prompts);
    if (!fields) return pass_on(fields);
    std::string body = secrets_body(*fields);
    auto done = session.api().send("PUT", path, body);
    cleanse(body.data(), body.size());
    if (!done) return pass_on(done);
    return print_provisioning(session, *done);
}

Result<Exit> tenant_auth_link(Session& session, const std::string& tenant, AuthLinkWish wish) {
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    const std::string path = api_path({"tenants", field(*found, "id"), "auth-link"});
    if (wish == AuthLinkWish::revoke) {
        auto gone = session.api().send("DELETE", path, "");
        if (!gone) return pass_on(gone);
        session.remark(
            fmt::format("the auth link of tenant '{}' leads nowhere now", field(*found, "name")));
        return Exit::ok;
    }
    auto link = wish == AuthLinkWish::fresh ? session.api().send("POST", path, "")
                                            : session.api().get(path);
    if (!link) return pass_on(link);
    if (session.json()) {
        session.print(*link);
        return Exit::ok;
    }
    const std::string url = field(*link, "url");
    if (url.empty())
        session.remark(
            "there is a link, made on another host: who has it can use it, and it cannot be shown "
            "here; '--new' makes another in its place");
    Record record;
    record.line("link", url);
    record.line("made", short_time(field(*link, "created_date")));
    session.print(record);
    return Exit::ok;
}

}  // namespace berth
