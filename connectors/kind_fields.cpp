#include "connectors/kind_fields.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/text.h"
#include "connectors/template.h"
#include "model/env_name.h"
#include "model/limits.h"

namespace berth {
namespace {

template <typename... Args>
tl::unexpected<Failure> wrong(std::string_view field, fmt::format_string<Args...> what,
                              Args&&... args) {
    return fail_at(FailureKind::unprocessable, fmt::format("body.fields.{}", field), "{}",
                   fmt::format(what, std::forward<Args>(args)...));
}

Result<void> check_value(const KindField& field, std::string_view value) {
    if (!field.pattern.empty() &&
        !re2::RE2::FullMatch(re2::StringPiece{value.data(), value.size()}, field.pattern))
        return wrong(field.name, "'{}' ({}) does not have the form that is expected{}{}",
                     field.name, field.label, field.help.empty() ? "" : ": ", field.help);
    if (field.secret) return {};
    if (value.size() > limits::kFieldBytes)
        return wrong(field.name, "'{}' is larger than {} bytes", field.name, limits::kFieldBytes);
    const bool plain = std::ranges::none_of(
        value, [](char c) { return (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == 0x7f; });
    if (!is_utf8(value) || !plain)
        return wrong(field.name, "'{}' has characters that are no text", field.name);
    return {};
}

// The names in what says where secrets are sent.
std::set<std::string> place_names(const ConnectorKind& kind) {
    std::vector<std::string> templates = kind.hosts;
    templates.push_back(kind.base_url);
    if (kind.oauth2)
        templates.insert(templates.end(), {kind.oauth2->authorize_url, kind.oauth2->token_url,
                                           kind.oauth2->revoke_url});
    std::set<std::string> names;
    for (const std::string& text : templates)
        if (const auto found = template_names(text)) names.insert(found->begin(), found->end());
    return names;
}

}  // namespace

Result<GivenFields> check_fields(std::span<const KindField> fields,
                                 std::map<std::string, Secret> given,
                                 const std::set<std::string>& held) {
    GivenFields taken;
    for (const KindField& field : fields) {
        auto found = given.extract(field.name);
        if (found.empty()) {
            if (held.contains(field.name)) continue;
            if (!field.default_value.empty())
                taken.readable[field.name] = field.default_value;
            else if (field.required)
                return wrong(field.name, "'{}' ({}) is missing", field.name, field.label);
            continue;
        }
        Secret& value = found.mapped();
        if (auto good = check_value(field, value.reveal()); !good) return pass_on(good);
        if (field.secret)
            taken.secret.emplace(field.name, std::move(value));
        else
            taken.readable.emplace(field.name, value.reveal());
    }
    if (given.empty()) return taken;
    std::vector<std::string_view> names;
    for (const KindField& field : fields)
        names.push_back(field.name);
    const std::string& unknown = given.begin()->first;
    return wrong(unknown, "there is no field '{}' here; there are: {}", printable(unknown, 60),
                 fmt::join(names, ", "));
}

Result<void> check_place(const ConnectorKind& kind, const GivenFields& given,
                         const std::map<std::string, std::string>& readable_before,
                         const std::set<std::string>& sealed) {
    std::vector<std::string_view> kept;
    for (const std::string& name : sealed)
        if (!given.secret.contains(name)) kept.push_back(name);
    if (kept.empty()) return {};
    const auto places = place_names(kind);
    for (const auto& [name, value] : given.readable) {
        if (!kind.hosts.empty() && !places.contains(name)) continue;
        const auto before = readable_before.find(name);
        if (value == (before == readable_before.end() ? "" : before->second)) continue;
        return wrong(name,
                     "'{}' says where '{}' would be sent, stored for another place: give it "
                     "anew together with '{}', or disconnect first",
                     name, fmt::join(kept, "', '"), name);
    }
    return {};
}

bool comes_from_provider(const ConnectorKind& kind, std::string_view field) {
    return kind.oauth2 && (field == "access_token" || field == "refresh_token" ||
                           kind.oauth2->fields_from_answer.contains(std::string{field}));
}

std::vector<KindField> typed_fields(const ConnectorKind& kind) {
    std::vector<KindField> typed;
    std::ranges::copy_if(kind.fields, std::back_inserter(typed), [&](const KindField& field) {
        return !comes_from_provider(kind, field.name);
    });
    return typed;
}

std::vector<std::string> env_names(std::string_view connector, const KindField& field) {
    if (!field.in_environment) return {};
    return secret_env_names(connector, field.env.empty() ? field.name : field.env);
}

}  // namespace berth
