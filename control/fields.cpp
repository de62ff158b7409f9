#include "control/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/host_name.h"
#include "model/limits.h"

namespace berth {

const Json* Fields::find(const char* name) {
    seen_.insert(name);
    const auto found = body_.find(name);
    return found == body_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Fields::text(const char* name, std::size_t max_bytes) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) {
        wrong(name, "must be a string");
        return {};
    }
    auto text = value->get<std::string>();
    if (text.size() > max_bytes) {
        wrong(name, "has {} bytes; at most {} are allowed", text.size(), max_bytes);
        return {};
    }
    if (text.find('\0') != std::string::npos) {
        wrong(name, "contains a NUL character");
        return {};
    }
    return text;
}

std::optional<std::int64_t> Fields::integer(const char* name, std::int64_t min, std::int64_t max) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    const bool fits = value->is_number_integer() &&
                      !(value->is_number_unsigned() &&
                        value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX));
    if (!fits || value->get<std::int64_t>() < min || value->get<std::int64_t>() > max) {
        wrong(name, "must be an integer from {} to {}", min, max);
        return {};
    }
    return value->get<std::int64_t>();
}

std::optional<bool> Fields::boolean(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_boolean()) {
        wrong(name, "must be true or false");
        return {};
    }
    return value->get<bool>();
}

std::optional<std::string> Fields::object(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_object()) {
        wrong(name, "must be an object");
        return {};
    }
    return to_text(*value);
}

std::optional<std::vector<IntegrationConnector>> Fields::connectors(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    const auto good = [](const Json& item) {
        return item.is_object() && item.contains("name") && item["name"].is_string() &&
               (!item.contains("isGlobal") || item["isGlobal"].is_boolean());
    };
    std::vector<IntegrationConnector> out;
    if (value->is_array())
        for (const Json& item : *value)
            if (good(item))
                out.push_back({item["name"].get<std::string>(), item.value("isGlobal", false)});
    if (!value->is_array() || out.size() != value->size()) {
        wrong(name, "must be a list of objects {{\"name\": text, \"isGlobal\": true or false}}");
        return {};
    }
    return out;
}

std::optional<std::vector<std::string>> Fields::texts(const char* name, std::size_t most,
                                                      std::size_t max_bytes) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    const bool fits = value->is_array() && value->size() <= most &&
                      std::ranges::all_of(*value, [&](const Json& item) {
                          return item.is_string() && item.get<std::string>().size() <= max_bytes;
                      });
    if (!fits) {
        wrong(name, "must be a list of at most {} texts of at most {} bytes", most, max_bytes);
        return {};
    }
    return value->get<std::vector<std::string>>();
}

std::optional<std::vector<std::string>> Fields::egress_names(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_array()) {
        wrong(name, "must be a list of host names; an empty one allows every public name");
        return {};
    }
    std::vector<std::string> names;
    for (const Json& item : *value) {
        auto parsed = parse_egress_name(item.is_string() ? item.get<std::string>() : to_text(item));
        if (!parsed) {
            wrong(name, "is wrong: {}", parsed.error().message);
            return {};
        }
        if (std::ranges::find(names, *parsed) == names.end()) names.push_back(std::move(*parsed));
    }
    if (names.size() > limits::kEgressNames)
        wrong(name,
              "has {} names; at most {} are allowed, and '*.example.com' stands for all below",
              names.size(), limits::kEgressNames);
    return names;
}

void Fields::secrets(const char* name,
                     const std::function<void(std::string, std::string_view)>& take) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_object() || value->empty())
        return wrong(name, "must be an object of at least one secret, field name → text");
    if (value->size() > limits::kSecretFields)
        return wrong(name, "holds {} fields; at most {} are allowed", value->size(),
                     limits::kSecretFields);
    for (const auto& [field, secret] : value->items()) {
        // No refusal below says anything of the value.
        if (field.empty() || field.size() > limits::kNameBytes ||
            field.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-") != std::string::npos)
            return wrong(name,
                         "holds a field whose name is not made of letters, digits, '_' and "
                         "'-' (at most {} of them)",
                         limits::kNameBytes);
        if (!secret.is_string()) return wrong(name, "'{}' must be a string", field);
        const auto& text = secret.get_ref<const std::string&>();
        if (text.empty()) return wrong(name, "'{}' is empty", field);
        if (text.size() > limits::kSecretBytes)
            return wrong(name, "'{}' is larger than {} bytes", field, limits::kSecretBytes);
        if (text.find('\0') != std::string::npos)
            return wrong(name, "'{}' contains a NUL character, which no environment can hold",
                         field);
        take(field, text);
    }
}

void Fields::required(const char* name) {
    if (find(name) == nullptr) wrong(name, "is required");
}

Result<void> Fields::finish() {
    if (failure_) return tl::unexpected<Failure>{*failure_};
    for (const auto& [name, value] : body_.items())
        if (!seen_.contains(name))
            return fail_at(FailureKind::unprocessable, "body." + name,
                           "field '{}' is not known here; check its spelling", name);
    return {};
}

}  // namespace berth
