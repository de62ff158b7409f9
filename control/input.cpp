#include "control/input.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "model/limits.h"

namespace berth {
namespace {

constexpr std::int64_t kMaxLimit = 500;
constexpr std::string_view kAscending = "__ASC";
constexpr std::string_view kDescending = "__DESC";

std::string listed(std::initializer_list<std::string_view> names) {
    std::string text;
    for (const auto name : names)
        text += fmt::format("{}'{}'", text.empty() ? "" : ", ", name);
    return text;
}

}  // namespace

Result<Page> read_page(const Request& request, std::initializer_list<std::string_view> sortable) {
    Page page;
    auto skip = request.query.integer("skip");
    if (!skip) return pass_on(skip);
    page.skip = skip->value_or(page.skip);
    if (page.skip < 0)
        return fail_at(FailureKind::unprocessable, "query.skip", "'skip' must be 0 or more");

    auto limit = request.query.integer("limit");
    if (!limit) return pass_on(limit);
    page.limit = limit->value_or(page.limit);
    if (page.limit < 1 || page.limit > kMaxLimit)
        return fail_at(FailureKind::unprocessable, "query.limit", "'limit' must be 1 to {}",
                       kMaxLimit);

    const auto sort_by = request.query.find("sort_by");
    if (!sort_by) return page;
    std::string_view field = *sort_by;
    if (field.ends_with(kAscending)) {
        field.remove_suffix(kAscending.size());
    } else if (field.ends_with(kDescending)) {
        field.remove_suffix(kDescending.size());
        page.descending = true;
    } else {
        return fail_at(FailureKind::unprocessable, "query.sort_by",
                       "'sort_by' must be a field followed by '__ASC' or '__DESC'");
    }
    if (std::find(sortable.begin(), sortable.end(), field) == sortable.end())
        return fail_at(FailureKind::unprocessable, "query.sort_by",
                       "'sort_by' must name one of these fields: {}", listed(sortable));
    page.sort_field = field;
    return page;
}

Result<Json> read_json_object(const Request& request, EmptyBody empty) {
    if (request.body.empty()) {
        if (empty == EmptyBody::allowed) return Json::object();
        return fail_at(FailureKind::unprocessable, "body",
                       "the body is missing; send a JSON object");
    }
    auto json = parse_json(request.body);
    if (!json) {
        Failure failure = std::move(json).error();
        failure.kind = FailureKind::invalid;
        return tl::unexpected<Failure>{std::move(failure)};
    }
    if (!json->is_object())
        return fail_at(FailureKind::unprocessable, "body", "the body must be a JSON object, not {}",
                       json->type_name());
    return json;
}

Result<std::string> read_idempotency_key(const Request& request) {
    std::string key{request.headers.find("idempotency-key").value_or("")};
    if (key.size() > limits::kLongNameBytes)
        return fail_at(FailureKind::unprocessable, "header.idempotency-key",
                       "the Idempotency-Key header has at most {} bytes", limits::kLongNameBytes);
    return key;
}

Result<std::int64_t> read_limit(const Request& request, std::string_view name,
                                std::int64_t otherwise) {
    auto limit = request.query.integer(name);
    if (!limit) return pass_on(limit);
    const std::int64_t value = limit->value_or(otherwise);
    if (value < 1 || value > 500)
        return fail_at(FailureKind::unprocessable, fmt::format("query.{}", name),
                       "query parameter '{}' must be from 1 to 500", name);
    return value;
}

}  // namespace berth
