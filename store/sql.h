// Small tools of the store's own files: reading a row's columns in the order of
// its select list, and the conditions and order of lists. Nothing from outside
// is ever pasted into SQL: these put literals of ours together.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/db.h"

namespace berth {

// Each call reads the next column.
class Columns {
public:
    explicit Columns(const Row& row) : row_{row} {}

    std::int64_t integer() { return row_.integer(at_++); }
    std::uint64_t bytes() { return static_cast<std::uint64_t>(integer()); }
    std::string text() { return row_.text(at_++); }
    bool flag() { return integer() != 0; }
    Time time() { return time_from_micros(integer()); }
    template <typename AnyId>
    AnyId id() {
        return AnyId{integer()};
    }
    // A word of one of model's enums; `parse` is its parse function.
    template <typename Parse>
    auto word(Parse parse) {
        const auto value = parse(row_.text(at_));
        if (!value)
            throw StoreError{StoreError::Kind::corrupt,
                             fmt::format("'{}' is no word of column {}", row_.text(at_), at_)};
        ++at_;
        return *value;
    }
    // What `read` (a member of this) reads, or nothing for NULL.
    template <typename Read>
    auto maybe(Read read) -> std::optional<decltype(read(*this))> {
        if (row_.is_null(at_)) {
            ++at_;
            return {};
        }
        return read(*this);
    }
    std::optional<Time> maybe_time() {
        return maybe([](Columns& c) { return c.time(); });
    }
    template <typename AnyId>
    std::optional<AnyId> maybe_id() {
        return maybe([](Columns& c) { return c.id<AnyId>(); });
    }

private:
    const Row& row_;
    std::size_t at_ = 0;
};

template <typename Read>
auto read_rows(const std::vector<Row>& rows, Read read) {
    std::vector<decltype(read(rows.front()))> values;
    values.reserve(rows.size());
    for (const Row& row : rows)
        values.push_back(read(row));
    return values;
}

// A field that a list can be sorted by: its name in the API, its column.
struct SortField {
    std::string_view name;
    std::string_view column;
};

// select ... from ... where ... order by ... limit ... offset ...
class ListQuery {
public:
    explicit ListQuery(std::string_view select) : sql_{select} {}

    // `where("tenant_id =", id)`: the parameter's number is put behind the condition.
    void where(std::string_view condition, Param value);
    // unprocessable at `sort_by`, `skip` or `limit` when the page asks for what is
    // not there.
    Result<void> order(const Page& page, std::span<const SortField> fields);
    // The lowest `limit` rows by `column`, for lists that are not the API's.
    void first(std::string_view column, std::int64_t limit);
    std::vector<Row> run(Db& db) const { return db.query_with(sql_, params_); }

private:
    std::string sql_;
    std::vector<Param> params_;
    bool filtered_ = false;
};

}  // namespace berth
