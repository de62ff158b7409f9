#include "sandbox/runner/last_line.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/support/seed.h"

using namespace berth;
using runner::LastLine;

namespace {

constexpr std::size_t kLimit = 20;

LastLine::Line last_of(std::string_view text) {
    LastLine tracker{kLimit};
    tracker.add(text);
    tracker.finish();
    return tracker.line();
}

// The rule once more, the slow way: split everything, look from the end.
LastLine::Line by_the_rule(const std::string& text) {
    std::vector<std::string> lines{""};
    for (const char c : text)
        if (c == '\n')
            lines.emplace_back();
        else
            lines.back() += c;
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        if (line->find_first_not_of(" \t\r\v\f") == std::string::npos) continue;
        if (line->back() == '\r') line->pop_back();
        return {line->size() <= kLimit ? *line : "", line->size()};
    }
    return {};
}

}  // namespace

TEST_CASE("the last line with something in it is the state", "[runner]") {
    struct Row {
        const char* text;
        const char* line;
    };
    const Row rows[] = {
        {"", ""},
        {"\n\n", ""},
        {" \t\r\n \n", ""},
        {"one", "one"},
        {"one\n", "one"},
        {"one\ntwo", "two"},
        {"one\ntwo\n\n  \n\t", "two"},
        {"one\r\n", "one"},
        {"one\r", "one"},
        {"  kept as it is  \n", "  kept as it is  "},
        {"\x01\n", "\x01"},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        CHECK(last_of(row.text).text == row.line);
    }
}

TEST_CASE("a state that just fits is kept, one byte more is only counted", "[runner]") {
    const std::string fits(kLimit, 'x');
    CHECK(last_of(fits + "\r\n").text == fits);
    CHECK(last_of(fits + "\r\n").bytes == kLimit);
    CHECK(last_of(fits + "y\n").text.empty());
    CHECK(last_of(fits + "y\n").bytes == kLimit + 1);
    CHECK(last_of(fits + "y\nshort\n").text == "short");
    CHECK(last_of("short\n" + std::string(1000, ' ') + "\n").text == "short");
}

TEST_CASE("the last line is the same however the stream is cut", "[runner]") {
    auto random = test::seeded_random("chunkings");
    const std::string alphabet = "ab \t\r\n\n\v\0";
    const auto up_to = [&](std::size_t most) { return test::below(random, most + 1); };
    for (int round = 0; round < 5000; ++round) {
        std::string text(up_to(60), ' ');
        for (char& c : text)
            c = alphabet[up_to(alphabet.size() - 1)];
        LastLine tracker{kLimit};
        for (std::string_view rest = text; !rest.empty();) {
            const std::size_t size = 1 + up_to(rest.size() - 1);
            tracker.add(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        tracker.finish();
        const auto expected = by_the_rule(text);
        INFO("round " << round);
        REQUIRE(tracker.line().text == expected.text);
        REQUIRE(tracker.line().bytes == expected.bytes);
    }
}
