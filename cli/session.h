// What every command is given: where to print, whom to ask.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/api.h"
#include "cli/io.h"
#include "cli/output.h"

namespace berth {

enum class Format { people, json };

// JSON text that is safe on a terminal: ASCII only, no raw control character.
// Indented by 2, or in one line.
enum class Layout { indented, one_line };
std::string ascii_json(const Json& value, Layout layout);

// Which part of a list is asked for.
struct Paging {
    std::int64_t limit = 100;
    std::int64_t skip = 0;
    std::string sort;  // a field; empty: the daemon's order
    bool descending = false;

    Pairs query() const;
};

class Session {
public:
    Session(Io& io, std::filesystem::path socket, Format format);

    Io& io;
    const std::filesystem::path socket;
    const Format format;

    Api& api() { return api_; }
    bool json() const { return format == Format::json; }

    void print(const Table& table);
    void print(const Record& record);
    void print(const Json& value);  // what --json prints
    // The rows of a list; `nothing` is remarked when there are none, and how to
    // see more when the page is full.
    void print_list(const Table& table, const Paging& paging, std::size_t rows,
                    std::string_view nothing);
    void remark(std::string_view text) { say(io, text); }
    Colour colour() const { return io.colour_out ? Colour::on : Colour::off; }

private:
    Api api_;
};

}  // namespace berth
