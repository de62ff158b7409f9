#include "connectors/kind_reader.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "connectors/kind_file.h"
#include "connectors/template.h"
#include "connectors/webhook_scheme.h"
#include "model/limits.h"
#include "model/yaml.h"

namespace berth {
namespace {

using Keys = KindFile::Keys;

const Keys kKindKeys{"name",   "title",   "documentation", "auth",  "fields", "provisioning",
                     "oauth2", "request", "base_url",      "hosts", "webhook"};
const Keys kFieldKeys{"name",           "label",     "help", "secret",  "required",
                      "in_environment", "multiline", "env",  "pattern", "default_value"};
const Keys kOAuth2Keys{"authorize_url",
                       "token_url",
                       "issuer",
                       "revoke_url",
                       "scopes",
                       "scope_separator",
                       "pkce",
                       "client_auth",
                       "json_requests",
                       "authorize_parameters",
                       "token_parameters",
                       "fields_from_answer",
                       "lifetime_seconds"};
const Keys kRequestKeys{"header", "query", "value", "user", "password"};

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

KindField usual(std::string name, std::string label, std::string help = {}) {
    KindField field;
    field.name = std::move(name);
    field.label = std::move(label);
    field.help = std::move(help);
    return field;
}
KindField open(KindField field) {
    field.secret = false;
    return field;
}
KindField optional(KindField field) {
    field.required = false;
    return field;
}

std::set<std::string> keys_of(const Json& map) {
    std::set<std::string> keys;
    for (const auto& [key, value] : map.items())
        keys.insert(key);
    return keys;
}

// The end of its variable's name; empty when runs do not get it.
std::string in_runs(const KindField& field) {
    if (!field.in_environment) return {};
    return to_upper_ascii(field.env.empty() ? field.name : field.env);
}

class Reader : private KindFile {
public:
    Reader(YamlDocument document, std::string_view file_name)
        : KindFile{std::move(document)}, file_name_{file_name} {}

    Result<ConnectorKind> read() {
        const Json& root = this->root();
        if (!check_keys("", root, kKindKeys)) return refused();
        kind_.name = text("", root, "name", Need::needed);
        if (kind_.name.empty())
            ;  // told already
        else if (!is_made_of(kind_.name, "-") || kind_.name.size() > limits::kNameBytes)
            wrong("/name", "must have 1 to {} lower-case letters, digits and '-'",
                  limits::kNameBytes);
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
        kind_.base_url = text("", root, "base_url");
        if (!kind_.base_url.empty()) check_address("/base_url", kind_.base_url);
        read_hosts(root);
        if (root.contains("webhook")) read_webhook(root["webhook"]);
        if (kind_.fields.empty())
            wrong("", "'fields' is missing; name at least one field that a customer gives");
        if (is_wrong()) return refused();
        return std::move(kind_);
    }

private:
    // --- Rules

    bool is_field(std::string_view name) const {
        return kind_.find_field(name) ||
               std::ranges::count(kind_.provisioning, name, &KindField::name) > 0;
    }

    void check_https(const std::string& at, std::string_view url) {
        if (!url.starts_with("https://")) wrong(at, "must begin with 'https://'");
    }

    void check_template(const std::string& at, std::string_view text) {
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

    // An address: of one host, or of one that an administrator or a customer names.
    void check_address(const std::string& at, std::string_view url) {
        if (!url.starts_with("{")) check_https(at, url);
        check_template(at, url);
    }

    // --- Parts

    void read_fields(const Json& root, const char* key, std::vector<KindField>& into) {
        if (!root.contains(key)) return;
        const Json& list = root[key];
        if (!list.is_array())
            return wrong(fmt::format("/{}", key), "must be a list, '- name: ...' each");
        if (list.size() > limits::kKindFields)
            return wrong(fmt::format("/{}", key), "has {} fields; at most {} are allowed",
                         list.size(), limits::kKindFields);
        for (std::size_t i = 0; i < list.size(); ++i)
            read_field(fmt::format("/{}/{}", key, i), list[i], into);
    }

    void read_field(const std::string& at, const Json& map, std::vector<KindField>& into) {
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

    void read_oauth2(const Json& root) {
        const bool needed = kind_.auth != AuthMethod::fields;
        if (root.contains("oauth2") != needed)
            return wrong(needed ? "/auth" : "/oauth2",
                         "'oauth2' goes with 'auth: oauth2_code' and "
                         "'auth: oauth2_client_credentials', and with these only; {}",
                         needed ? "add it" : "leave it out, or change 'auth'");
        if (!needed) return;
        const Json& map = root["oauth2"];
        const std::string at = "/oauth2";
        if (!check_keys(at, map, kOAuth2Keys)) return;
        const bool code = kind_.auth == AuthMethod::oauth2_code;
        if (!code)
            for (const char* key : {"authorize_url", "authorize_parameters", "issuer", "pkce"})
                if (map.contains(key))
                    wrong(at + "/" + key, "goes with 'auth: oauth2_code' only; leave it out");
        OAuth2 oauth2;
        oauth2.authorize_url = text(at, map, "authorize_url", code ? Need::needed : Need::optional);
        oauth2.token_url = text(at, map, "token_url", Need::needed);
        oauth2.issuer = text(at, map, "issuer");
        oauth2.revoke_url = text(at, map, "revoke_url");
        oauth2.scopes = texts(at, map, "scopes");
        if (map.contains("scope_separator"))
            oauth2.scope_separator = text(at, map, "scope_separator", Need::needed);
        oauth2.pkce = flag(at, map, "pkce", code);
        oauth2.client_auth =
            word(at, map, "client_auth", {{"basic", ClientAuth::basic}, {"body", ClientAuth::body}},
                 ClientAuth::basic);
        for (const std::string& request : texts(at, map, "json_requests"))
            if (request == "token")
                oauth2.json_token = true;
            else if (request == "revoke")
                oauth2.json_revoke = true;
            else
                wrong(at + "/json_requests", "has '{}'; there are: token, revoke",
                      printable(request, 40));
        oauth2.authorize_parameters = pairs(at, map, "authorize_parameters");
        oauth2.token_parameters = pairs(at, map, "token_parameters");
        oauth2.fields_from_answer = pairs(at, map, "fields_from_answer");
        if (const auto found = map.find("lifetime_seconds"); found != map.end()) {
            if (found->is_number_unsigned() && *found <= 365 * 24 * 3600)
                oauth2.lifetime = std::chrono::seconds{found->get<std::int64_t>()};
            else
                wrong(at + "/lifetime_seconds",
                      "must be a number of seconds, at most a year: 31536000");
        }
        kind_.oauth2 = std::move(oauth2);
    }

    // What need not be written into every file: the tokens, the client, what an
    // administrator may choose for every provider.
    void add_usual_fields(const Json& root) {
        const auto add = [](std::vector<KindField>& to, KindField field) {
            if (std::ranges::count(to, field.name, &KindField::name) == 0)
                to.push_back(std::move(field));
        };
        if (kind_.oauth2) {
            add(kind_.fields, usual("access_token", "Access token"));
            if (kind_.auth == AuthMethod::oauth2_code) {
                KindField refresh = optional(usual("refresh_token", "Refresh token"));
                refresh.in_environment = false;
                add(kind_.fields, std::move(refresh));
            }
            if (!kind_.find_field("client_id")) {
                add(kind_.provisioning, open(usual("client_id", "Client ID")));
                add(kind_.provisioning, usual("client_secret", "Client secret"));
            }
            add(kind_.provisioning,
                optional(open(usual("scopes", "Scopes",
                                    "instead of the usual ones, with spaces between them"))));
        }
        if (root.contains("base_url")) {
            KindField base =
                optional(open(usual("base_url", "Base URL", "instead of the usual one")));
            base.pattern = R"(https?://[^\s]+)";
            add(kind_.provisioning, std::move(base));
        }
        if (root.contains("webhook"))
            add(kind_.provisioning, optional(open(usual("webhook_topics", "Webhook topics",
                                                        "with spaces between them"))));
        if (!kind_.oauth2) return;
        check_answers();
        for (const auto& [key, url] : {std::pair{"authorize_url", &kind_.oauth2->authorize_url},
                                       std::pair{"token_url", &kind_.oauth2->token_url},
                                       std::pair{"revoke_url", &kind_.oauth2->revoke_url},
                                       std::pair{"issuer", &kind_.oauth2->issuer}})
            if (!url->empty()) check_address(fmt::format("/oauth2/{}", key), *url);
    }

    void check_answers() {
        for (const auto& [field, pointer] : kind_.oauth2->fields_from_answer) {
            const std::string at = "/oauth2/fields_from_answer/" + field;
            if (!kind_.find_field(field))
                wrong(at, "'{}' is no field of this kind; add it to 'fields'", field);
            if (!pointer.starts_with('/')) wrong(at, "must be a JSON pointer, like '/team/id'");
        }
    }

    void read_request(const Json& root) {
        if (!root.contains("request")) return;
        const Json& map = root["request"];
        const std::string at = "/request";
        if (!check_keys(at, map, kRequestKeys)) return;
        RequestAuth& request = kind_.request;
        using Place = RequestAuth::Place;
        const std::set<std::string> given = keys_of(map);
        if (given == std::set<std::string>{"user", "password"}) {
            request.place = Place::basic;
            request.user = text(at, map, "user", Need::needed);
            request.password = text(at, map, "password", Need::needed);
            check_template(at + "/user", request.user);
            return check_template(at + "/password", request.password);
        }
        const bool header = given.contains("header");
        if (given != std::set<std::string>{header ? "header" : "query", "value"})
            return wrong(at,
                         "must have 'header' and 'value', or 'query' and 'value', or 'user' and "
                         "'password'");
        request.place = header ? Place::header : Place::query;
        request.name = text(at, map, header ? "header" : "query", Need::needed);
        request.value = text(at, map, "value", Need::needed);
        check_template(at + "/value", request.value);
    }

    void read_hosts(const Json& root) {
        kind_.hosts = texts("", root, "hosts");
        for (std::size_t i = 0; i < kind_.hosts.size(); ++i) {
            const std::string& host = kind_.hosts[i];
            const std::string at = fmt::format("/hosts/{}", i);
            check_template(at, host);
            if (host.empty() || host.find_first_of("/: ") != std::string::npos)
                wrong(at, "must be a host's name, without scheme, port and path");
            else if (host == "*" || (host.find('*', 1) != std::string::npos))
                wrong(at, "'*.' stands in front of a name only, as in '*.example.com'");
        }
    }

    void read_webhook(const Json& map) {
        auto scheme = parse_webhook_scheme(map, "webhook");
        if (!scheme)
            return add(place("/webhook" + scheme.error().where) + ": " + scheme.error().message);
        // The shared secret is a field, of the connection or of the app.
        if (!is_field(scheme->key_field))
            wrong("/webhook/key_field",
                  "is '{}', which is no field of this kind; add it to 'fields' or "
                  "'provisioning'",
                  scheme->key_field);
        kind_.webhook = *std::move(scheme);
    }

    std::string_view file_name_;
    ConnectorKind kind_;
};

}  // namespace

Result<ConnectorKind> read_kind(std::string_view text, std::string_view file_name) {
    auto document = read_yaml(text, file_name);
    if (!document) return pass_on(document);
    return Reader{std::move(*document), file_name}.read();
}

}  // namespace berth
