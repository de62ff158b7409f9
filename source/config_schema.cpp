#include "source/config_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "source/json_kinds.h"

namespace berth {
namespace {

constexpr std::string_view kDefinitions = "#/definitions/";
constexpr std::string_view kMetadata = "#/metadata/";

// What to do with a list of options that no init run has filled yet.
enum class Waiting { keep_placeholders, accept_anything };

// Calls use(node) for `node` and every schema in it. Only at places where a schema
// stands: a property that is called `min` or `ref` is left alone.
template <typename F>
void for_each_schema(Json& node, F&& use) {
    if (!node.is_object()) return;
    use(node);
    for (const char* key : {"properties", "definitions", "patternProperties"})
        if (node.contains(key) && node[key].is_object())
            for (auto& [name, below] : node[key].items())
                for_each_schema(below, use);
    for (const char* key : {"items", "additionalItems", "additionalProperties", "contains", "not",
                            "if", "then", "else", "allOf", "anyOf", "oneOf"}) {
        if (!node.contains(key)) continue;
        if (node[key].is_array())
            for (Json& below : node[key])
                for_each_schema(below, use);
        else
            for_each_schema(node[key], use);
    }
}

void rename(Json& node, const char* from, const char* to) {
    if (!node.contains(from)) return;
    if (!node.contains(to)) node[to] = node[from];
    node.erase(from);
}

// `ref` of a node when it begins with `prefix`, without it.
std::string ref_below(const Json& node, std::string_view prefix) {
    const auto ref = node.find("$ref");
    if (ref == node.end() || !ref->is_string()) return "";
    const auto& text = ref->get_ref<const std::string&>();
    return text.starts_with(prefix) ? text.substr(prefix.size()) : "";
}

const Json* find(const Json& object, const std::string& key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

const Json* find_list(const Json& object, const std::string& key) {
    const Json* list = find(object, key);
    return list != nullptr && list->is_array() ? list : nullptr;
}

bool is_titled(const Json& option) { return option.is_object() && option.contains("const"); }

bool has_options(const Json& node) {
    if (find_list(node, "enum") != nullptr) return true;
    const Json* forms = find_list(node, "oneOf");
    return forms != nullptr && std::ranges::all_of(*forms, is_titled);
}

// Options as an init run prints them: values, or {const, title}.
Json options_schema(const Json& list) {
    if (std::ranges::none_of(list, is_titled)) return {{"enum", list}};
    Json forms = Json::array();
    for (const Json& option : list)
        forms.push_back(is_titled(option) ? option : Json{{"const", option}});
    return {{"oneOf", std::move(forms)}};
}

// `node` with these options in place of its `$ref`. They decide, not `type`: a
// definition of numbers for a text property works (contract 2.4).
void choose_from(Json& node, const Json& options) {
    node.erase("$ref");
    if (node.value("type", Json{}) == "array") {
        node["items"] = options;
        node["uniqueItems"] = true;
        return;
    }
    node.erase("type");
    node.update(options);
}

void accept_anything(Json& node) {
    node.erase("$ref");
    if (node.value("type", Json{}) != "array") node.erase("type");
}

struct Sources {
    const Json& dynamic_configs;
    const Json& metadata;
    const Json& metadata_schema;
    Waiting waiting;
};

void resolve_metadata(Json& node, const std::string& key, const Sources& from) {
    if (const Json* list = find_list(from.metadata, key))
        return choose_from(node, options_schema(*list));
    const Json* properties = find(from.metadata_schema, "properties");
    const Json* entry = properties != nullptr ? find(*properties, key) : nullptr;
    const Json* list = entry != nullptr ? find_list(*entry, "default") : nullptr;
    if (list != nullptr && from.waiting == Waiting::keep_placeholders)
        return choose_from(node, options_schema(*list));
    accept_anything(node);
}

void resolve_definition(Json& node, const std::string& name, const Json& definitions,
                        const Sources& from) {
    const Json* definition = find(definitions, name);
    if (definition == nullptr || !has_options(*definition)) return;  // an ordinary reference
    if (const Json* list = find_list(from.dynamic_configs, name))
        return choose_from(node, options_schema(*list));
    // Before the first init run nobody can tell placeholders from real options.
    const bool before_init = !from.dynamic_configs.is_object() || from.dynamic_configs.empty();
    if (before_init && from.waiting == Waiting::accept_anything) return accept_anything(node);
    Json options = Json::object();
    for (const char* key : {"enum", "oneOf"})
        if (definition->contains(key)) options[key] = (*definition)[key];
    choose_from(node, options);
}

Json resolve(const Json& schema, const Sources& from) {
    Json resolved = schema;
    const Json definitions =
        schema.is_object() ? schema.value("definitions", Json::object()) : Json{};
    for_each_schema(resolved, [&](Json& node) {
        if (const auto key = ref_below(node, kMetadata); !key.empty())
            resolve_metadata(node, key, from);
        else if (const auto name = ref_below(node, kDefinitions); !name.empty())
            resolve_definition(node, name, definitions, from);
    });
    return resolved;
}

// What a property says of itself, else what its definition says.
Json said_of(const Json& schema, const Json& property, const char* key) {
    if (const Json* said = find(property, key)) return *said;
    const Json* ref = find(property, "$ref");
    const Json* target = ref != nullptr && ref->is_string()
                             ? find_ref(schema, ref->get_ref<const std::string&>())
                             : nullptr;
    const Json* said = target != nullptr ? find(*target, key) : nullptr;
    return said != nullptr ? *said : Json{};
}

// The value of a property that nobody has set; null when there is none.
Json default_of(const Json& schema, const Json& property) {
    Json value = said_of(schema, property, "default");
    if (value.is_null() && said_of(schema, property, "type") == "boolean") value = false;
    return value;
}

bool is_unset(const Json& value) { return value.is_null() || value == ""; }

}  // namespace

Json normalise_schema(const Json& schema) {
    Json normal = schema;
    for_each_schema(normal, [](Json& node) {
        rename(node, "min", "minimum");
        rename(node, "max", "maximum");
        if (node.contains("ref") && node["ref"].is_string()) rename(node, "ref", "$ref");
        if (!node.contains("$ref") || !node["$ref"].is_string()) return;
        const auto ref = node["$ref"].get<std::string>();
        if (ref.starts_with("definitions/") || ref.starts_with("metadata/"))
            node["$ref"] = "#/" + ref;
        else if (ref.starts_with("/"))
            node["$ref"] = "#" + ref;
    });
    if (normal.is_object() && normal.contains("properties") && !normal.contains("type"))
        normal["type"] = "object";
    return normal;
}

Json resolve_options(const Json& schema, const Json& dynamic_configs, const Json& metadata,
                     const Json& metadata_schema) {
    return resolve(schema,
                   {dynamic_configs, metadata, metadata_schema, Waiting::keep_placeholders});
}

std::vector<SchemaProblem> check_configs(const Json& schema, const Json& configs,
                                         const Json& dynamic_configs, const Json& metadata) {
    if (!configs.is_object()) return {{"", "must be an object with one field for each setting"}};
    Json set = Json::object();
    std::vector<SchemaProblem> problems;
    for (const auto& [name, value] : configs.items()) {
        if (name.empty() || name.find_first_of(std::string_view{"=\0", 2}) != std::string::npos)
            problems.push_back(
                {name, "cannot be the name of a setting: it is empty, or has '=' in it"});
        else if (value.is_string() &&
                 value.get_ref<const std::string&>().find('\0') != std::string::npos)
            problems.push_back({name, "must not contain a NUL character"});
        else if (!is_unset(value))
            set[name] = value;
    }
    Json resolved = resolve(schema, {dynamic_configs, metadata, {}, Waiting::accept_anything});
    if (const Json* required = resolved.is_object() ? find_list(resolved, "required") : nullptr) {
        Json still = Json::array();  // a default is as good as a value
        for (const Json& name : *required) {
            const Json* properties = find(resolved, "properties");
            const Json* property = properties != nullptr ? find(*properties, name) : nullptr;
            if (property == nullptr || default_of(resolved, *property).is_null())
                still.push_back(name);
        }
        resolved["required"] = std::move(still);
    }
    for (SchemaProblem& problem : validate_json(resolved, set, Formats::check))
        problems.push_back(std::move(problem));
    return problems;
}

Json with_defaults(const Json& schema, const Json& configs) {
    Json all = Json::object();
    if (const Json* properties = find(schema, "properties");
        properties != nullptr && properties->is_object())
        for (const auto& [name, property] : properties->items())
            if (Json value = default_of(schema, property); !value.is_null())
                all[name] = std::move(value);
    if (configs.is_object())
        for (const auto& [name, value] : configs.items())
            if (!value.is_null()) all[name] = value;
    return all;
}

std::vector<SchemaProblem> check_metadata(const Json& metadata_schema, const Json& value) {
    if (!value.is_object())
        return {{"", fmt::format("must be an object, not {}", json_kind(value))}};
    if (value.empty()) return {};  // changes nothing, whatever the schema requires
    return validate_json(metadata_schema, value);
}

std::string join_problems(const std::vector<SchemaProblem>& problems) {
    std::string all;
    for (const auto& [property, message] : problems) {
        if (!all.empty()) all += "; ";
        all +=
            property.empty() ? message : fmt::format("'{}' {}", printable(property, 100), message);
    }
    return all;
}

}  // namespace berth
