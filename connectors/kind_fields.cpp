#include "connectors/kind_fields.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/text.h"
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
