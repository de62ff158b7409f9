#include "source/manifest.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/limits.h"
#include "model/yaml.h"
#include "source/config_schema.h"
#include "source/json_kinds.h"

namespace berth {
namespace {

constexpr std::string_view kNewestVersion = "1.0";
constexpr std::array kKnownKeys{"version", "base",       "build",          "run",
                                "configs", "connectors", "metadata_schema"};

bool is_slug(std::string_view name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    };
    return !name.empty() && name.size() <= limits::kNameBytes && std::ranges::all_of(name, fits);
}

// One to `most` numbers with dots between them.
bool is_version(std::string_view text, std::size_t most) {
    const auto parts = split(text, '.');
    return parts.size() <= most && std::ranges::all_of(parts, [](const std::string& part) {
               return to_number<unsigned>(part).has_value();
           });
}

class Reader {
public:
    explicit Reader(YamlDocument document) : document_{std::move(document)} {}

    Result<Manifest> read() {
        const Json& root = *document_.value;
        if (!root.is_object())
            error_at("",
                     "the file must be a map with the keys 'version', 'base', 'build', 'run' "
                     "and 'configs'");
        else
            read_root(root);
        if (errors_.empty()) return std::move(manifest_);
        std::string all = errors_[0].message;
        for (std::size_t i = 1; i < errors_.size(); ++i)
            all += "\n" + errors_[i].message;
        return tl::unexpected<Failure>{
            Failure{FailureKind::unprocessable, std::move(all), errors_[0].where}};
    }

private:
    void read_root(const Json& root) {
        for (const auto& [key, value] : root.items())
            if (std::ranges::find(kKnownKeys, key) == kKnownKeys.end())
                warn_at("/" + key, "key '{}' is not known, ignoring", printable(key, 80));
        read_version(root);
        read_base(root);
        manifest_.build = command(root, "build");
        manifest_.run = command(root, "run");
        if (manifest_.run.empty() && !root.contains("run"))
            error_at("",
                     "'run' is missing; write the command that starts the script, such as "
                     "'run: node .'");
        read_connectors(root);
        const Json metadata = read_metadata_schema(root);
        read_configs(root, metadata);
    }

    void read_version(const Json& root) {
        if (!root.contains("version"))
            return error_at("", "'version' is missing; write 'version: 0.4'");
        const Json& value = root["version"];
        manifest_.version = document_.place("/version").written;
        if ((!value.is_number() && !value.is_string()) || !is_version(manifest_.version, 3))
            return error_at("/version", "'version' must be a number such as 0.4 or 1.0");
        if (value.is_number() && value > 1.0)
            warn_at("/version",
                    "version {} is newer than the newest known ({}), reading it as that",
                    manifest_.version, kNewestVersion);
    }

    void read_base(const Json& root) {
        if (!root.contains("base"))
            return error_at("",
                            "'base' is missing; write the language and its version, such as "
                            "'base: python:3.11'");
        const Json& value = root["base"];
        if (value.is_object() && value.size() == 1) {
            const std::string& name = value.begin().key();
            return error_at("/base",
                            "'base' has a space after the colon, which makes it a map; write "
                            "'base: {}:{}'",
                            printable(name, 40),
                            printable(document_.place("/base/" + name).written, 40));
        }
        if (!value.is_string())
            return error_at("/base", "'base' must be text such as 'node:20', not {}",
                            json_kind(value));
        auto base = parse_base(value.get_ref<const std::string&>());
        if (!base) return error_at("/base", "{}", base.error().message);
        manifest_.base = *std::move(base);
    }

    // A shell command line; empty when absent.
    std::string command(const Json& root, const std::string& key) {
        if (!root.contains(key)) return "";
        const Json& value = root[key];
        if (value.is_null() && key == "build") return "";
        if (!value.is_string() || trim(value.get_ref<const std::string&>()).empty()) {
            error_at("/" + key, "'{}' must be a command line such as 'npm install', not {}", key,
                     value.is_string() ? "empty text" : json_kind(value));
            return "";
        }
        std::string text{trim(value.get_ref<const std::string&>())};
        if (text.size() > limits::kCommandBytes)
            error_at("/" + key, "'{}' is longer than {} bytes; put it into a script", key,
                     limits::kCommandBytes);
        if (text.find('\0') != std::string::npos)
            error_at("/" + key, "'{}' must not contain a NUL character", key);
        return text;
    }

    void read_connectors(const Json& root) {
        const Json list = root.value("connectors", Json{});
        if (list.is_null()) return;
        if (!list.is_array())
            return error_at("/connectors",
                            "'connectors' must be a list of names, one on each line "
                            "after '- '");
        for (std::size_t i = 0; i < list.size(); ++i) {
            const std::string at = fmt::format("/connectors/{}", i);
            const std::string name = list[i].is_string() ? list[i].get<std::string>() : "";
            if (!is_slug(name))
                error_at(at,
                         "a connector's name must be text of letters, digits and '-', at most "
                         "{} of them",
                         limits::kNameBytes);
            else if (std::ranges::find(manifest_.connectors, name) != manifest_.connectors.end())
                warn_at(at, "connector '{}' is named twice, ignoring", name);
            else
                manifest_.connectors.push_back(name);
        }
    }

    // A part with `schema` and `uischema`; nothing when it is absent or empty.
    const Json* part(const Json& root, const std::string& key) {
        if (!root.contains(key) || root[key].is_null()) return nullptr;
        const Json& value = root[key];
        if (!value.is_object()) {
            error_at("/" + key, "'{}' must be a map with 'schema' and 'uischema'", key);
            return nullptr;
        }
        for (const auto& [name, below] : value.items())
            if (name != "schema" && name != "uischema")
                warn_at("/" + key + "/" + name, "key '{}' is not known in '{}', ignoring",
                        printable(name, 80), key);
        return &value;
    }

    Json read_metadata_schema(const Json& root) {
        const Json* metadata = part(root, "metadata_schema");
        if (metadata == nullptr) return {};
        if (!metadata->contains("schema")) {
            error_at("/metadata_schema", "'metadata_schema' needs 'schema' below it");
            return {};
        }
        Json schema = normalise_schema((*metadata)["schema"]);
        if (check_schema(schema, "/metadata_schema/schema"))
            manifest_.metadata_schema = to_text(schema);
        return schema;
    }

    void read_configs(const Json& root, const Json& metadata_schema) {
        const Json* configs = part(root, "configs");
        if (configs == nullptr) return;
        Json schema = normalise_schema(configs->value("schema", Json{}));
        if (!schema.is_null()) {
            const std::string at = "/configs/schema";
            if (check_schema(
                    resolve_options(schema, Json::object(), Json::object(), metadata_schema), at))
                check_names(schema, at);
            check_metadata_refs(schema, at, metadata_schema);
            manifest_.config_schema = to_text(schema);
        }
        if (!configs->contains("uischema") || (*configs)["uischema"].is_null()) return;
        const Json& form = (*configs)["uischema"];
        if (!form.is_object()) return error_at("/configs/uischema", "'uischema' must be a map");
        check_scopes(form, "/configs/uischema", schema);
        manifest_.ui_schema = to_text(form);
    }

    bool check_schema(const Json& schema, const std::string& at) {
        const auto problems = check_json_schema(schema);
        for (const auto& [pointer, message] : problems)
            error_at(at + pointer, "{}", message);
        if (!problems.empty()) return false;
        if (schema.is_object() && schema.value("type", Json("object")) == "object") return true;
        error_at(at + "/type", "the schema's 'type' must be object");
        return false;
    }

    // Each property becomes a variable: PAN_CFG_ and its name in capitals.
    void check_names(const Json& schema, const std::string& at) {
        std::map<std::string, std::string> seen;
        const Json properties = schema.value("properties", Json::object());
        for (const auto& [name, property] : properties.items()) {
            const std::string place = at + "/properties/" + name;
            if (name.empty() || name.find_first_of(std::string_view{"=\0", 2}) != std::string::npos)
                error_at(place, "property '{}' cannot name a variable; use letters, digits and '_'",
                         printable(name, 80));
            const auto [other, fresh] = seen.try_emplace(to_upper_ascii(name), name);
            if (!fresh)
                error_at(place, "properties '{}' and '{}' would both become PAN_CFG_{}; rename one",
                         printable(other->second, 80), printable(name, 80),
                         printable(other->first, 80));
        }
    }

    void check_metadata_refs(const Json& schema, const std::string& at,
                             const Json& metadata_schema) {
        const Json known = metadata_schema.is_object()
                               ? metadata_schema.value("properties", Json::object())
                               : Json::object();
        const Json properties =
            schema.is_object() ? schema.value("properties", Json::object()) : Json{};
        for (const auto& [name, property] : properties.items()) {
            if (!property.is_object()) continue;
            const Json ref = property.value("$ref", Json{});
            constexpr std::string_view kPrefix = "#/metadata/";
            if (!ref.is_string() || !ref.get_ref<const std::string&>().starts_with(kPrefix))
                continue;
            const std::string key = ref.get<std::string>().substr(kPrefix.size());
            if (!known.contains(key))
                warn_at(at + "/properties/" + name,
                        "property '{}' takes its options from metadata '{}', which metadata_schema "
                        "does not have",
                        printable(name, 80), printable(key, 80));
        }
    }

    // A control for a property that is not there would stay empty.
    void check_scopes(const Json& node, const std::string& at, const Json& schema) {
        if (node.is_array())
            for (std::size_t i = 0; i < node.size(); ++i)
                check_scopes(node[i], fmt::format("{}/{}", at, i), schema);
        if (!node.is_object()) return;
        if (node.contains("elements")) check_scopes(node["elements"], at + "/elements", schema);
        const Json scope = node.value("scope", Json{});
        if (!scope.is_string()) return;
        const auto& text = scope.get_ref<const std::string&>();
        if (!text.starts_with("#/") || find_ref(schema, text) == nullptr)
            warn_at(at + "/scope", "scope '{}' names no property of the schema",
                    printable(text, 80));
    }

    std::string where(const std::string& pointer) const {
        const YamlPlace& place = document_.place(pointer);
        const YamlMark mark = place.written.empty() ? place.key : place.value;
        return fmt::format("{}:{}:{}", document_.file, mark.line, mark.column);
    }

    template <typename... Args>
    void error_at(const std::string& pointer, fmt::format_string<Args...> what, Args&&... args) {
        std::string at = where(pointer);
        std::string message =
            fmt::format("{}: {}", at, fmt::format(what, std::forward<Args>(args)...));
        errors_.push_back({FailureKind::unprocessable, std::move(message), std::move(at)});
    }

    template <typename... Args>
    void warn_at(const std::string& pointer, fmt::format_string<Args...> what, Args&&... args) {
        manifest_.warnings.push_back(
            fmt::format("{}: {}", where(pointer), fmt::format(what, std::forward<Args>(args)...)));
    }

    YamlDocument document_;
    Manifest manifest_;
    std::vector<Failure> errors_;
};

}  // namespace

Result<BaseName> parse_base(std::string_view written) {
    const std::string text{trim(written)};
    const std::size_t colon = text.find(':');
    BaseName base{to_lower_ascii(text.substr(0, colon)), "", text};
    const std::string version = colon == std::string::npos ? "" : text.substr(colon + 1);
    const auto named = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '+' || c == '#' || c == '_';
    };
    if (base.name.empty() || base.name.size() > limits::kNameBytes ||
        !std::ranges::all_of(base.name, named) ||
        (colon != std::string::npos && !is_version(version, 3)))
        return fail(FailureKind::unprocessable,
                    "'base: {}' is not a language and a version; write for example 'node:20.9.0', "
                    "'python:3.11' or 'php:8'",
                    printable(text, 60));
    if (base.name == "golang") base.name = "go";
    if (base.name == "closure") base.name = "clojure";  // the platform's own spelling
    base.version = version;
    return base;
}

Result<Manifest> read_manifest(std::string_view text, std::string_view file_name) {
    auto document = read_yaml(text, file_name);
    if (!document) return pass_on(document);
    return Reader{*std::move(document)}.read();
}

}  // namespace berth
