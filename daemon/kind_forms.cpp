#include "daemon/kind_forms.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "connectors/kind_fields.h"
#include "connectors/kinds.h"
#include "daemon/connections.h"

namespace berth {
namespace {

std::string_view word_of(AuthMethod auth) {
    switch (auth) {
        case AuthMethod::fields: return "fields";
        case AuthMethod::oauth2_code: return "oauth2_code";
        case AuthMethod::oauth2_client_credentials: return "oauth2_client_credentials";
    }
    std::abort();
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json fields_form(const ConnectorKind& kind, const std::vector<KindField>& fields) {
    Json forms = Json::array();
    for (const KindField& field : fields)
        forms.push_back({{"name", field.name},
                         {"label", field.label},
                         {"help", or_null(field.help)},
                         {"secret", field.secret},
                         {"required", field.required},
                         {"multiline", field.multiline},
                         {"pattern", or_null(field.pattern)},
                         {"default", or_null(field.default_value)},
                         {"from_provider", comes_from_provider(kind, field.name)}});
    return forms;
}

}  // namespace

Json variables_form(const ConnectorKind& kind, std::string_view connector) {
    Json variables = Json::array();
    for (const KindField& field : kind.fields)
        for (const std::string& name : env_names(connector, field))
            variables.push_back(name);
    return variables;
}

Json kind_line(const ConnectorKind& kind) {
    return {{"name", kind.name},
            {"title", kind.title},
            {"auth", word_of(kind.auth)},
            {"webhooks", kind.webhook.has_value()},
            {"documentation", or_null(kind.documentation)}};
}

Json kind_form(const ConnectorKind& kind) {
    Json form = kind_line(kind);
    form["fields"] = fields_form(kind, kind.fields);
    form["provisioning"] = fields_form(kind, kind.provisioning);
    form["variables"] = variables_form(kind, kind.name);
    form["base_url"] = or_null(kind.base_url);
    form["hosts"] = kind.hosts;
    if (kind.oauth2)
        form["oauth2"] = {{"authorize_url", or_null(kind.oauth2->authorize_url)},
                          {"token_url", kind.oauth2->token_url},
                          {"scopes", kind.oauth2->scopes},
                          {"pkce", kind.oauth2->pkce}};
    return form;
}

DoctorCheck check_kinds(const KindBook& kinds) {
    DoctorCheck check;
    check.name = "connector kinds";
    check.ok = kinds.troubles().empty();
    check.detail = fmt::format("{} are there", kinds.all().size());
    if (check.ok) return check;
    check.detail += fmt::format("; {} not: {}", kinds.troubles().size(), kinds.troubles().front());
    check.cure = "correct the file and restart berthd; until then runs of its connectors fail";
    return check;
}

void Connections::list_kinds(Done<std::string> done) {
    Json forms = Json::array();
    for (const auto& [name, kind] : parts_.kinds.all())
        forms.push_back(kind_line(kind));
    // Through the store, since no operation answers before it has returned.
    parts_.store.read([text = to_text(forms)](Db&) -> Result<std::string> { return text; },
                      std::move(done));
}

void Connections::get_kind(std::string name, Done<std::string> done) {
    Result<std::string> answer =
        fail(FailureKind::not_found, "there is no connector kind '{}'", printable(name, 63));
    if (const ConnectorKind* kind = parts_.kinds.find(name)) answer = to_text(kind_form(*kind));
    parts_.store.read([answer](Db&) { return answer; }, std::move(done));
}

std::string Connections::provisioning_form(const Provisioning& provisioning) const {
    Json form{
        {"connector", provisioning.connector_name},
        {"kind", provisioning.kind},
        {"isGlobal", provisioning.is_global},
        {"fields", provisioning.readable},
        {"secrets", provisioning.secrets},
        {"last_change",
         provisioning.last_change == Time{} ? Json{} : Json{to_rfc3339(provisioning.last_change)}}};
    Json missing = Json::array();
    form["variables"] = Json::array();  // of a custom one: what somebody will give it
    if (const ConnectorKind* kind = parts_.kinds.find(provisioning.kind)) {
        for (const KindField& field : kind->provisioning)
            if (field.required && !provisioning.readable.contains(field.name) &&
                std::ranges::count(provisioning.secrets, field.name) == 0)
                missing.push_back(field.name);
        form["variables"] = variables_form(*kind, provisioning.connector_name);
    }
    form["missing"] = std::move(missing);
    return to_text(form);
}

}  // namespace berth
