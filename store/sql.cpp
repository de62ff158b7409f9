#include "store/sql.h"

namespace berth {
namespace {

constexpr std::int64_t kMaxPage = 500;  // pandium-contract.md 11

}  // namespace

void ListQuery::where(std::string_view condition, Param value) {
    params_.push_back(value);
    sql_ += fmt::format(" {} {} ${}", filtered_ ? "and" : "where", condition, params_.size());
    filtered_ = true;
}

void ListQuery::first(std::string_view column, std::int64_t limit) {
    params_.push_back(limit);
    sql_ += fmt::format(" order by {} limit ${}", column, params_.size());
}

Result<void> ListQuery::order(const Page& page, std::span<const SortField> fields) {
    if (page.skip < 0)
        return fail_at(FailureKind::unprocessable, "skip", "'skip' must be 0 or more");
    if (page.limit < 1 || page.limit > kMaxPage)
        return fail_at(FailureKind::unprocessable, "limit", "'limit' must be between 1 and {}",
                       kMaxPage);
    std::string_view column = "id";
    if (!page.sort_field.empty()) {
        const auto found = std::ranges::find(fields, page.sort_field, &SortField::name);
        if (found == fields.end()) {
            std::string names;
            for (const SortField& field : fields)
                names += fmt::format("{}'{}'", names.empty() ? "" : ", ", field.name);
            return fail_at(FailureKind::unprocessable, "sort_by",
                           "cannot sort by '{}'; the fields are {}", printable(page.sort_field),
                           names);
        }
        column = found->column;
    }
    const std::string_view direction = page.descending ? "desc" : "asc";
    // The id last, so that equal values keep one order from page to page.
    sql_ += fmt::format(" order by {} {}, id {}", column, direction, direction);
    params_.push_back(page.limit);
    params_.push_back(page.skip);
    sql_ += fmt::format(" limit ${} offset ${}", params_.size() - 1, params_.size());
    return {};
}

}  // namespace berth
