#include "store/db.h"

#include <fmt/format.h>

namespace berth {

const Row::Value& Row::at(std::size_t column) const {
    if (column >= columns_.size())
        throw StoreError{StoreError::Kind::corrupt, fmt::format("there is no column {}", column)};
    return columns_[column];
}

bool Row::is_null(std::size_t column) const {
    return std::holds_alternative<std::nullptr_t>(at(column));
}

bool Row::is_integer(std::size_t column) const {
    return std::holds_alternative<std::int64_t>(at(column));
}

std::int64_t Row::integer(std::size_t column) const {
    if (const auto* number = std::get_if<std::int64_t>(&at(column))) return *number;
    throw StoreError{StoreError::Kind::corrupt, fmt::format("column {} is no integer", column)};
}

const std::string& Row::text(std::size_t column) const {
    if (const auto* text = std::get_if<std::string>(&at(column))) return *text;
    throw StoreError{StoreError::Kind::corrupt, fmt::format("column {} is no text", column)};
}

std::optional<Row> Db::one(std::string_view sql, Literals params) {
    auto rows = query(sql, params);
    if (rows.empty()) return {};
    return std::move(rows.front());
}

Row Db::must(std::string_view sql, Literals params) {
    auto row = one(sql, params);
    if (!row) throw StoreError{StoreError::Kind::other, fmt::format("'{}' gave no row", sql)};
    return *std::move(row);
}

Tx::Tx(Db& db, Mode mode) : db_{db} {
    if (mode == Mode::write)
        db_.begin_write();
    else
        db_.begin_read();
}

}  // namespace berth
