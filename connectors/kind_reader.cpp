#include "connectors/kind_reader.h"

#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "connectors/kind_parts.h"
#include "connectors/template.h"
#include "model/limits.h"

namespace berth {
namespace {

using Keys = KindFile::Keys;

const Keys kKindKeys{"name",   "title",   "documentation", "auth",     "fields", "provisioning",
                     "oauth2", "request", "headers",       "base_url", "hosts",  "webhook"};
const Keys kFieldKeys{"name",           "label",     "help", "secret",  "required",
                      "in_environment", "multiline", "env",  "pattern", "default_value"};

bool is_made_of(std::string_view text, std::string_view more) {
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               more.find(c) != std::string_view::npos;
    });
}

// `hooks/acme.yaml` → `acme`
std::string_view stem(std::string_view file_name) {
    if (const auto slash = file_name.rfind('/'); slash != std::string_view::npos)
        file_name.remove_prefix(slash + 1);
    if (file_name.ends_with(".yaml")) file_name.remove_suffix(5);
    return file_name;
}

// The end of its variable's name; empty when runs do not get it.
std::string in_runs(const KindField& field) {
    if (!field.in_environment) return {};
    return to_upper_ascii(field.env.empty() ? field.name : field.env);
}

}  // namespace

Result<ConnectorKind> KindReader::read() {
    const Json& root = this->root();
    if (!check_keys("", root, kKindKeys)) return refused();
    kind_.name = text("", root, "name", Need::needed);
    if (kind_.name.empty())
        ;  // told already
    else if (!is_made_of(kind_.name, "-") || kind_.name.size() > limits::kNameBytes)
        wrong("/name", "must have 1 to {} lower-case letters, digits and '-'", limits::kNameBytes);
    else if (kind_.name != stem(file_name_))
        wrong("/name", "the kind is called '{}' and its file '{}.yaml'; rename one of them",
              kind_.name, printable(stem(file_name_)));
    kind_.title = text("", root, "title", Need::needed);
    kind_.documentation = text("", root, "documentation");
    if (!kind_.documentation.empty()) check_https("/documentation", kind_.documentation);
    kind_.auth = word("", root, "auth",
                      {{"fields", AuthMethod::fields},
                       {"oauth2_code", AuthMethod::oauth2_code},
                       {"oauth2_client_credentials", AuthMethod::oauth2_client_credentials}},
                      AuthMethod::fields);
    read_fields(root, "fields", kind_.fields);
    read_fields(root, "provisioning", kind_.provisioning);
    read_oauth2(root);
    add_usual_fields(root);
    read_request(root);
    read_headers(root);
    kind_.base_url = text("", root, "base_url");
    if (!kind_.base_url.empty()) check_address("/base_url", kind_.base_url);
    read_hosts(root);
    if (root.contains("webhook")) read_webhook(root["webhook"]);
    if (kind_.fields.empty())
        wrong("", "'fields' is missing; name at least one field that a customer gives");
    if (is_wrong()) return refused();
    return std::move(kind_);
}

bool KindReader::is_field(std::string_view name) const {
    return kind_.find_field(name) ||
           std::ranges::count(kind_.provisioning, name, &KindField::name) > 0;
}

void KindReader::check_https(const std::string& at, std::string_view url) {
    if (!url.starts_with("https://")) wrong(at, "must begin with 'https://'");
}

void KindReader::check_template(const std::string& at, std::string_view text) {
    const auto names = template_names(text);
    if (!names)
        return wrong(at, "has a brace that is not closed, or holds no name; write '{{name}}'");
    for (const std::string& name : *names)
        if (!is_field(name))
            wrong(at,
                  "names '{{{}}}', which is no field of this kind; add it to 'fields' or "
                  "'provisioning'",
                  printable(name, 40));
}

void KindReader::check_address(const std::string& at, std::string_view url) {
    if (!url.starts_with("{")) check_https(at, url);
    check_template(at, url);
}

void KindReader::read_fields(const Json& root, const char* key, std::vector<KindField>& into) {
    if (!root.contains(key)) return;
    const Json& list = root[key];
    if (!list.is_array())
        return wrong(fmt::format("/{}", key), "must be a list, '- name: ...' each");
    if (list.size() > limits::kKindFields)
        return wrong(fmt::format("/{}", key), "has {} fields; at most {} are allowed", list.size(),
                     limits::kKindFields);
    for (std::size_t i = 0; i < list.size(); ++i)
        read_field(fmt::format("/{}/{}", key, i), list[i], into);
}

void KindReader::read_field(const std::string& at, const Json& map, std::vector<KindField>& into) {
    if (!check_keys(at, map, kFieldKeys)) return;
    KindField field;
    field.name = text(at, map, "name", Need::needed);
    field.label = text(at, map, "label", Need::needed);
    field.help = text(at, map, "help");
    field.secret = flag(at, map, "secret", true);
    field.required = flag(at, map, "required", true);
    field.in_environment = flag(at, map, "in_environment", true);
    field.multiline = flag(at, map, "multiline", false);
    field.env = text(at, map, "env");
    field.pattern = text(at, map, "pattern");
    field.default_value = text(at, map, "default_value");
    if (!field.name.empty() &&
        (!is_made_of(field.name, "_") || field.name.size() > limits::kFieldNameBytes))
        wrong(at + "/name", "must have 1 to {} lower-case letters, digits and '_'",
              limits::kFieldNameBytes);
    if (std::ranges::count(into, field.name, &KindField::name) > 0)
        wrong(at + "/name", "field '{}' is there twice; leave one out", field.name);
    if (map.contains("env") && !is_made_of(to_lower_ascii(field.env), "_"))
        wrong(at + "/env", "must have letters, digits and '_'");
    for (const KindField& other : into)
        if (in_runs(other) == in_runs(field) && !in_runs(field).empty())
            wrong(at, "its variable has the name of that of '{}'; give one another 'env'",
                  other.name);
    if (field.secret && !field.default_value.empty())
        wrong(at + "/default_value", "a secret has no default; leave it out");
    const re2::RE2 pattern{field.pattern, re2::RE2::Quiet};
    if (!pattern.ok())
        wrong(at + "/pattern", "is not of RE2's form: {}", pattern.error());
    else if (!field.pattern.empty() && !field.default_value.empty() &&
             !re2::RE2::FullMatch(field.default_value, pattern))
        wrong(at + "/default_value", "does not match 'pattern'; change one of them");
    into.push_back(std::move(field));
}

Result<ConnectorKind> read_kind(std::string_view text, std::string_view file_name) {
    auto document = read_yaml(text, file_name);
    if (!document) return pass_on(document);
    return KindReader{std::move(*document), file_name}.read();
}

}  // namespace berth
