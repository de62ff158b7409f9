#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"

namespace berth {
namespace {

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t bytes = 1;
    bool valid = false;  // else one byte that is not UTF-8
};

CodePoint first_code_point(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (bytes > text.size() || !is_utf8(text.substr(0, bytes))) return {lead, 1, false};
    std::uint32_t value = bytes == 1 ? lead : lead & (0x7FU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i)
        value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
    return {value, bytes, true};
}

struct Range {
    std::uint32_t first;
    std::uint32_t last;
};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, std::uint32_t value) {
    return std::ranges::any_of(
        ranges, [&](const Range& range) { return value >= range.first && value <= range.last; });
}

// What changes how a terminal shows the rest: controls, bidirectional marks,
// embeddings and isolates, line and paragraph separators, tags.
constexpr std::array kHarmful{
    Range{0x00, 0x1F},     Range{0x7F, 0x9F},     Range{0x61C, 0x61C},     Range{0x200E, 0x200F},
    Range{0x2028, 0x202E}, Range{0x2066, 0x2069}, Range{0xE0000, 0xE007F},
};
// Unicode 15, EastAsianWidth W and F and emoji, as far as names and logs have them.
constexpr std::array kWide{
    Range{0x1100, 0x115F},   Range{0x231A, 0x231B},   Range{0x2E80, 0x303E},
    Range{0x3041, 0xA4CF},   Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},
    Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
    Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF},
    Range{0x1F900, 0x1FAFF}, Range{0x20000, 0x3FFFD},
};
constexpr std::array kZeroWidth{
    Range{0x300, 0x36F},   Range{0x483, 0x489},   Range{0x591, 0x5BD},   Range{0x610, 0x61A},
    Range{0x64B, 0x65F},   Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x200B, 0x200D},
    Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}, Range{0xFEFF, 0xFEFF},
};

std::string escaped(std::string_view text, bool keep_lines) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        const std::string_view bytes = text.substr(0, point.bytes);
        if (keep_lines && text.starts_with("\r\n"))
            ;  // the LF that follows says it all
        else if (keep_lines && (point.value == '\n' || point.value == '\t'))
            out += bytes;
        else if (!point.valid || (point.value <= 0x7F && within(kHarmful, point.value)))
            out += fmt::format("\\x{:02x}", point.value);
        else if (within(kHarmful, point.value))
            out += fmt::format("\\u{{{:x}}}", point.value);
        else
            out += bytes;
        text.remove_prefix(point.bytes);
    }
    return out;
}

// The beginning of `text` that fits `width` columns, its last one an ellipsis.
std::string cut(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string{text};
    std::size_t bytes = 0, columns = 0;
    while (bytes < text.size()) {
        const CodePoint point = first_code_point(text.substr(bytes));
        columns += display_width(text.substr(bytes, point.bytes));
        if (columns + 1 > width) break;
        bytes += point.bytes;
    }
    return std::string{text.substr(0, bytes)} + "…";
}

std::string padding(std::string_view text, std::size_t width) {
    const std::size_t used = display_width(text);
    return std::string(used < width ? width - used : 0, ' ');
}

// Takes columns from the widest until the line fits; none becomes narrower than
// kNarrowest, so a very narrow terminal wraps rather than shows nothing.
void narrow(std::vector<std::size_t>& columns, std::size_t width, std::size_t gap) {
    constexpr std::size_t kNarrowest = 8;
    const std::size_t gaps = gap * (columns.size() - 1);
    for (;;) {
        std::size_t total = gaps;
        for (const std::size_t column : columns)
            total += column;
        const auto widest = std::ranges::max_element(columns);
        if (total <= width || *widest <= kNarrowest) return;
        --*widest;
    }
}

}  // namespace

std::string shown(std::string_view text) { return escaped(text, /*keep_lines=*/false); }
std::string shown_lines(std::string_view text) { return escaped(text, /*keep_lines=*/true); }

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        width += within(kZeroWidth, point.value) ? 0U : within(kWide, point.value) ? 2U : 1U;
        text.remove_prefix(point.bytes);
    }
    return width;
}

std::string toned(std::string_view text, Tone tone, Colour colour) {
    const auto sequence = [&]() -> std::string_view {
        switch (tone) {
            case Tone::plain: return "";
            case Tone::heading: return "\x1b[1m";
            case Tone::good: return "\x1b[32m";
            case Tone::bad: return "\x1b[31m";
            case Tone::warning: return "\x1b[33m";
            case Tone::faint: return "\x1b[2m";
        }
        return "";
    }();
    if (colour == Colour::off || sequence.empty() || text.empty()) return std::string{text};
    return fmt::format("{}{}\x1b[0m", sequence, text);
}

Table::Table(std::vector<std::string> headings) : headings_{std::move(headings)} {}

void Table::row(std::vector<Cell> cells) {
    for (Cell& cell : cells)
        cell.text = cell.text.empty() ? "-" : shown(cell.text);
    cells.resize(headings_.size(), Cell{"-"});
    rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t width, Colour colour) const {
    constexpr std::size_t kGap = 2;
    std::vector<std::size_t> columns;
    for (const std::string& heading : headings_)
        columns.push_back(display_width(heading));
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            columns[i] = std::max(columns[i], display_width(row[i].text));
    if (width > 0) narrow(columns, width, kGap);

    std::string out;
    const auto line = [&](const std::vector<Cell>& cells) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string text = cut(cells[i].text, columns[i]);
            out += toned(text, cells[i].tone, colour);
            if (i + 1 < cells.size()) out += padding(text, columns[i]) + std::string(kGap, ' ');
        }
        out += '\n';
    };
    std::vector<Cell> top;
    for (const std::string& heading : headings_)
        top.emplace_back(heading, Tone::heading);
    line(top);
    for (const auto& row : rows_)
        line(row);
    return out;
}

void Record::line(std::string name, Cell value) {
    if (value.text.empty()) return;
    value.text = shown(value.text);
    lines_.emplace_back(std::move(name), std::move(value));
}

std::string Record::text(Colour colour) const {
    std::size_t widest = 0;
    for (const auto& [name, value] : lines_)
        widest = std::max(widest, display_width(name));
    std::string out;
    for (const auto& [name, value] : lines_)
        out += toned(name, Tone::heading, colour) + padding(name, widest + 2) +
               toned(value.text, value.tone, colour) + '\n';
    return out;
}

}  // namespace berth
