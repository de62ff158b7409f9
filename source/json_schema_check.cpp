// The schema itself: is it one that validate_json() can use?
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "source/formats.h"
#include "source/json_kinds.h"
#include "source/json_schema.h"

namespace berth {
namespace {

using Problems = std::vector<SchemaProblem>;

std::string escape_pointer(std::string_view name) {
    std::string out;
    for (const char c : name)
        out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return out;
}

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = text[i] == '%' ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
        if (byte && byte->size() == 1) {
            out += *byte;
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

class Checker {
public:
    explicit Checker(const Json& root) : root_{root} {}

    Problems run() {
        schema(root_, "");
        return std::move(problems_);
    }

private:
    template <typename... Args>
    void bad(const std::string& at, fmt::format_string<Args...> what, Args&&... args) {
        problems_.push_back({at, fmt::format(what, std::forward<Args>(args)...)});
    }

    void schema(const Json& node, const std::string& at) {
        if (node.is_boolean()) return;
        if (!node.is_object()) return bad(at, "must be a map, not {}", json_kind(node));
        for (const auto& [key, value] : node.items())
            keyword(key, value, at + "/" + escape_pointer(key));
    }

    void keyword(const std::string& key, const Json& value, const std::string& at) {
        const auto is = [&key](std::initializer_list<std::string_view> keys) {
            return std::ranges::find(keys, key) != keys.end();
        };
        if (key == "type") return type(value, at);
        if (key == "$ref") return ref(value, at);
        if (key == "pattern") return pattern(value, at);
        if (key == "format" && !value.is_string()) return bad(at, "'format' must be text");
        if (is({"additionalItems", "contains", "additionalProperties", "propertyNames", "not", "if",
                "then", "else"}))
            return schema(value, at);
        if (is({"properties", "patternProperties", "definitions", "dependencies"}))
            return map_of_schemas(key, value, at);
        if (is({"allOf", "anyOf", "oneOf"}) || (key == "items" && value.is_array()))
            return list_of_schemas(key, value, at);
        if (key == "items") return schema(value, at);
        if (key == "enum" && !value.is_array()) return bad(at, "'enum' must be a list");
        if (key == "required") return names(key, value, at);
        if (is({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}) &&
            !value.is_number())
            return bad(at, "'{}' must be a number, not {}", key, json_kind(value));
        if (key == "multipleOf" && json_number(value) <= 0)
            return bad(at, "'multipleOf' must be more than 0");
        if (is({"minLength", "maxLength", "minItems", "maxItems", "minProperties",
                "maxProperties"}) &&
            (!value.is_number() || !is_whole(value) || json_number(value) < 0))
            return bad(at, "'{}' must be a whole number, 0 or more", key);
    }

    void type(const Json& value, const std::string& at) {
        const Json types = value.is_array() ? value : Json::array({value});
        for (const Json& one : types)
            if (!one.is_string() || !is_json_type(one.get_ref<const std::string&>()))
                bad(at,
                    "'type' must be boolean, integer, number, string, array, object or null, not "
                    "'{}'",
                    printable(one.is_string() ? one.get<std::string>() : to_text(one), 40));
    }

    void ref(const Json& value, const std::string& at) {
        if (!value.is_string()) return bad(at, "'$ref' must be text such as '#/definitions/name'");
        const auto& target = value.get_ref<const std::string&>();
        if (find_ref(root_, target) == nullptr)
            bad(at, "'$ref: {}' refers to nothing; add it under 'definitions'",
                printable(target, 80));
    }

    void pattern(const Json& value, const std::string& at) {
        if (!value.is_string()) return bad(at, "'pattern' must be text");
        const auto compiled = compile_pattern(value.get<std::string>());
        if (!compiled->ok())
            bad(at,
                "pattern '{}' cannot be used: {} (look-around and back references are left out)",
                printable(value.get<std::string>(), 80), printable(compiled->error(), 120));
    }

    void map_of_schemas(const std::string& key, const Json& value, const std::string& at) {
        if (!value.is_object()) return bad(at, "'{}' must be a map, not {}", key, json_kind(value));
        for (const auto& [name, one] : value.items()) {
            const std::string below = at + "/" + escape_pointer(name);
            if (key == "patternProperties") pattern(name, below);
            if (key == "dependencies" && one.is_array())
                names(key, one, below);
            else
                schema(one, below);
        }
    }

    void list_of_schemas(const std::string& key, const Json& value, const std::string& at) {
        if (!value.is_array() || (value.empty() && key != "items"))
            return bad(at, "'{}' must be a list with entries", key);
        for (std::size_t i = 0; i < value.size(); ++i)
            schema(value[i], fmt::format("{}/{}", at, i));
    }

    void names(const std::string& key, const Json& value, const std::string& at) {
        const auto is_text = [](const Json& one) { return one.is_string(); };
        if (!value.is_array() || !std::ranges::all_of(value, is_text))
            bad(at, "'{}' must be a list of property names", key);
    }

    const Json& root_;
    Problems problems_;
};

}  // namespace

const Json* find_ref(const Json& root, std::string_view ref) {
    if (ref.starts_with("#"))
        ref.remove_prefix(1);
    else if (!ref.starts_with("definitions/"))
        return nullptr;
    std::string pointer = percent_decoded(ref);
    if (!pointer.empty() && pointer[0] != '/') pointer.insert(0, "/");
    const Json* at = &root;
    for (std::size_t i = 0; i < pointer.size();) {  // at each '/'
        const std::size_t end = std::min(pointer.find('/', i + 1), pointer.size());
        std::string name = pointer.substr(i + 1, end - i - 1);
        i = end;
        for (std::size_t t = name.find('~'); t != std::string::npos; t = name.find('~', t + 1))
            if (t + 1 < name.size()) name.replace(t, 2, name[t + 1] == '1' ? "/" : "~");
        if (at->is_object() && at->contains(name)) {
            at = &(*at)[name];
        } else if (const auto index = to_number<std::size_t>(name);
                   at->is_array() && index && *index < at->size()) {
            at = &(*at)[*index];
        } else {
            return nullptr;
        }
    }
    return at;
}

Problems check_json_schema(const Json& schema) { return Checker{schema}.run(); }

}  // namespace berth
