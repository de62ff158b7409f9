// What is printed for people: escaping, widths, tables.
#include "cli/output.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "cli/session.h"

using namespace berth;

namespace {

bool harmless(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\n' || c == '\t';
    });
}

}  // namespace

TEST_CASE("control characters from outside become visible", "[cli]") {
    CHECK(shown("plain ascii") == "plain ascii");
    CHECK(shown("a\x1b[31mred") == "a\\x1b[31mred");
    CHECK(shown("line\nend\r\ttab") == "line\\x0aend\\x0d\\x09tab");
    CHECK(shown(std::string_view{"nul\0!", 5}) == "nul\\x00!");
    CHECK(shown("del\x7f") == "del\\x7f");
    CHECK(shown("csi\xc2\x9b"
                "31m") == "csi\\u{9b}31m");  // C1 in UTF-8
    CHECK(shown("\xe2\x80\xae"
                "evil") == "\\u{202e}evil");                             // right-to-left override
    CHECK(shown("\xe2\x81\xa6x\xe2\x81\xa9") == "\\u{2066}x\\u{2069}");  // isolates
    CHECK(shown("\xff\xfe") == "\\xff\\xfe");                            // not UTF-8
    CHECK(shown("caf\xc3") == "caf\\xc3");                               // cut in the middle
    CHECK(shown("café 日本 😀") == "café 日本 😀");
}

TEST_CASE("a text of several lines keeps its line ends and tabs only", "[cli]") {
    CHECK(shown_lines("a\r\nb\tc\n") == "a\nb\tc\n");
    CHECK(shown_lines("50%\r100%\n") == "50%\\x0d100%\n");
    CHECK(shown_lines("\x1b]0;title\x07") == "\\x1b]0;title\\x07");
}

TEST_CASE("no byte sequence brings an escape character through", "[cli]") {
    for (int first = 0; first < 256; ++first)
        for (int second = 0; second < 256; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second), '\x1b'};
            INFO(first << ' ' << second);
            REQUIRE(harmless(shown(text)));
            REQUIRE(harmless(shown_lines(text)));
        }
}

TEST_CASE("JSON for programs is ASCII without control characters", "[cli]") {
    const Json value{{"name", "\x1b[31m\x7f\xc2\x9b日"}};
    CHECK(ascii_json(value, Layout::one_line) == R"({"name":"\u001b[31m\u007f\u009b\u65e5"})");
}

TEST_CASE("wide and combining characters count as a terminal shows them", "[cli]") {
    CHECK(display_width("abc") == 3);
    CHECK(display_width("日本") == 4);
    CHECK(display_width("é") == 1);
    CHECK(display_width("e\xcc\x81") == 1);  // e and a combining accent
    CHECK(display_width("😀") == 2);
}

TEST_CASE("columns of a table line up whatever stands in them", "[cli]") {
    Table table{{"ID", "NAME", "STATE"}};
    table.row({"7", "日本", "active"});
    table.row({"1234", "e\x1b", ""});
    CHECK(table.text(0, Colour::off) ==
          "ID    NAME   STATE\n"
          "7     日本   active\n"
          "1234  e\\x1b  -\n");
}

TEST_CASE("a narrow terminal cuts the widest column", "[cli]") {
    Table table{{"ID", "REASON", "STATE"}};
    table.row({"1", "exited with code 3 after a very long story", "failed"});
    CHECK(table.text(30, Colour::off) ==
          "ID  REASON              STATE\n"
          "1   exited with code …  failed\n");
    CHECK(table.text(0, Colour::off).find("long story") != std::string::npos);
}

TEST_CASE("colours stand around a cell and never shift a column", "[cli]") {
    Table table{{"A", "B"}};
    table.row({Cell{"x", Tone::bad}, "y"});
    CHECK(table.text(0, Colour::on) == "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
    CHECK(toned("x", Tone::bad, Colour::off) == "x");
}

TEST_CASE("a record leaves out what is empty", "[cli]") {
    Record record;
    record.line("name", "acme");
    record.line("user", "");
    record.line("integration", "shop");
    CHECK(record.text(Colour::off) == "name         acme\nintegration  shop\n");
}
