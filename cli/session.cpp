#include "cli/session.h"

#include <nlohmann/json.hpp>

namespace berth {

std::string ascii_json(const Json& value, Layout layout) {
    const int indent = layout == Layout::indented ? 2 : -1;
    std::string text =
        value.dump(indent, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
    // DEL is the one control character that JSON leaves as it is.
    for (std::size_t at = 0; (at = text.find('\x7f', at)) != std::string::npos;)
        text.replace(at, 1, "\\u007f");
    return text;
}

Pairs Paging::query() const {
    Pairs query{{"limit", std::to_string(limit)}, {"skip", std::to_string(skip)}};
    if (!sort.empty()) query.emplace_back("sort_by", sort + (descending ? "__DESC" : "__ASC"));
    return query;
}

Session::Session(Io& session_io, std::filesystem::path session_socket, Format session_format)
    : io{session_io}, socket{std::move(session_socket)}, format{session_format}, api_{socket} {}

void Session::print(const Table& table) { io.out << table.text(io.width, colour()); }
void Session::print(const Record& record) { io.out << record.text(colour()); }
void Session::print(const Json& value) { io.out << ascii_json(value, Layout::indented) << '\n'; }

void Session::print_list(const Table& table, const Paging& paging, std::size_t rows,
                         std::string_view nothing) {
    if (rows == 0 && paging.skip == 0) return remark(nothing);
    print(table);
    if (static_cast<std::int64_t>(rows) == paging.limit)
        remark(fmt::format("{} shown; '--skip {}' shows those that follow", rows,
                           paging.skip + paging.limit));
}

}  // namespace berth
