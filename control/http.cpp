#include "control/http.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/text.h"

namespace berth {
namespace {

struct MethodName {
    Method method;
    std::string_view name;
};
constexpr std::array<MethodName, 6> kMethods{{{Method::get, "GET"},
                                              {Method::head, "HEAD"},
                                              {Method::post, "POST"},
                                              {Method::put, "PUT"},
                                              {Method::patch, "PATCH"},
                                              {Method::del, "DELETE"}}};

constexpr std::array<std::string_view, 4> kYes{"true", "1", "yes", "on"};
constexpr std::array<std::string_view, 4> kNo{"false", "0", "no", "off"};

bool is_one_of(const std::array<std::string_view, 4>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::string in_query(std::string_view name) { return fmt::format("query.{}", name); }

}  // namespace

std::string_view to_string(Method method) {
    for (const auto& known : kMethods)
        if (known.method == method) return known.name;
    return {};
}

std::optional<Method> parse_method(std::string_view word) {
    for (const auto& known : kMethods)
        if (known.name == word) return known.method;
    return {};
}

void NamedValues::add(std::string name, std::string value) {
    pairs_.emplace_back(std::move(name), std::move(value));
}

std::size_t NamedValues::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        pairs_.begin(), pairs_.end(), [name](const auto& pair) { return pair.first == name; }));
}

std::optional<std::string_view> NamedValues::find(std::string_view name) const {
    const auto found = std::find_if(pairs_.rbegin(), pairs_.rend(),
                                    [name](const auto& pair) { return pair.first == name; });
    if (found == pairs_.rend()) return {};
    return found->second;
}

Result<std::optional<std::int64_t>> Query::integer(std::string_view name) const {
    const auto text = find(name);
    if (!text) return std::optional<std::int64_t>{};
    if (const auto number = to_number<std::int64_t>(*text))
        return std::optional<std::int64_t>{*number};
    return fail_at(FailureKind::unprocessable, in_query(name), "'{}' is not a whole number: '{}'",
                   name, printable(*text, 40));
}

Result<std::optional<bool>> Query::flag(std::string_view name) const {
    const auto text = find(name);
    if (!text) return std::optional<bool>{};
    const std::string word = to_lower_ascii(*text);
    if (is_one_of(kYes, word)) return std::optional<bool>{true};
    if (is_one_of(kNo, word)) return std::optional<bool>{false};
    return fail_at(FailureKind::unprocessable, in_query(name),
                   "'{}' is neither true nor false: '{}'", name, printable(*text, 40));
}

Result<std::string> Query::required(std::string_view name) const {
    if (const auto text = find(name)) return std::string{*text};
    return fail_at(FailureKind::unprocessable, in_query(name),
                   "the query parameter '{}' is missing", name);
}

Failure Query::not_an_id(std::string_view name) {
    return {FailureKind::unprocessable, fmt::format("'{}' is not a positive whole number", name),
            in_query(name)};
}

std::string_view Request::param(std::string_view name) const {
    const auto value = params.find(name);
    BERTH_ASSERT(value.has_value());
    return *value;
}

Failure Request::not_an_id(std::string_view name) {
    return {FailureKind::unprocessable, fmt::format("'{}' is not a valid id", name),
            fmt::format("path.{}", name)};
}

}  // namespace berth
