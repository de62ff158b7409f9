// What is printed for people: text from outside made harmless, and tables that
// know how wide characters and terminals are.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

// One line: every control character (C0, C1, DEL), bidirectional override and
// byte that is not UTF-8 becomes visible, `\x1b` or `\u{202e}`.
std::string shown(std::string_view text);
// As shown(), but keeps line ends and tabs; drops the CR of a CR LF.
std::string shown_lines(std::string_view text);

// Columns a terminal needs for this text: 2 for wide characters, 0 for combining.
std::size_t display_width(std::string_view text);

enum class Tone { plain, heading, good, bad, warning, faint };
enum class Colour { off, on };
std::string toned(std::string_view text, Tone tone, Colour colour);

struct Cell {
    Cell(std::string cell_text, Tone cell_tone = Tone::plain)  // NOLINT: a text is a cell
        : text{std::move(cell_text)}, tone{cell_tone} {}
    Cell(const char* cell_text) : text{cell_text} {}  // NOLINT
    std::string text;
    Tone tone = Tone::plain;
};

// Rows under headings. Cells are escaped here, so a caller cannot forget it.
class Table {
public:
    explicit Table(std::vector<std::string> headings);
    // An empty cell is shown as `-`.
    void row(std::vector<Cell> cells);
    bool empty() const { return rows_.empty(); }
    // With a width, the widest columns are cut (`…`) until a line fits.
    std::string text(std::size_t width, Colour colour) const;

private:
    std::vector<std::string> headings_;
    std::vector<std::vector<Cell>> rows_;
};

// One object: a name and a value per line. Empty values are left out.
class Record {
public:
    void line(std::string name, Cell value);
    std::string text(Colour colour) const;

private:
    std::vector<std::pair<std::string, Cell>> lines_;
};

}  // namespace berth
