// Masking as output streams by: nothing of a secret gets out, however it is written
// and cut into pieces, and everything else passes byte for byte.
#include "vault/mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::vault;

namespace {

Masker masker(const std::vector<std::string>& secrets) {
    const std::vector<std::string_view> views{secrets.begin(), secrets.end()};
    return Masker{views};
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

std::string uri(std::string_view text, const char* format) {
    std::string out;
    for (const char c : text)
        out += std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view{"-._~"}.find(c) != std::string_view::npos
                   ? std::string{c}
                   : fmt::format(fmt::runtime(format), static_cast<unsigned char>(c));
    return out;
}

std::string json_text(const std::string& text, bool ascii) {
    const auto quoted =
        nlohmann::json(text).dump(-1, ' ', ascii, nlohmann::json::error_handler_t::ignore);
    return quoted.substr(1, quoted.size() - 2);
}

// The writers of the table, made apart from the code under test.
struct Encoding {
    const char* name;
    std::function<std::string(const std::string&)> encode;
};
const std::vector<Encoding> kEncodings{
    {"raw", [](const std::string& s) { return s; }},
    {"trimmed", [](const std::string& s) { return std::string{trim(s)}; }},
    {"base64", [](const std::string& s) { return to_base64(s); }},
    {"base64 after one byte", [](const std::string& s) { return to_base64("{" + s + "}}"); }},
    {"base64 after two bytes", [](const std::string& s) { return to_base64("{\"" + s + "\"}"); }},
    {"url-safe base64",
     [](const std::string& s) {
         return replace_all(replace_all(to_base64(s), "+", "-"), "/", "_");
     }},
    {"hex", [](const std::string& s) { return to_hex(s); }},
    {"upper hex", [](const std::string& s) { return to_upper_ascii(to_hex(s)); }},
    {"JSON", [](const std::string& s) { return json_text(s, false); }},
    {"ASCII JSON", [](const std::string& s) { return json_text(s, true); }},
    {"URI", [](const std::string& s) { return uri(s, "%{:02X}"); }},
    {"lower URI", [](const std::string& s) { return uri(s, "%{:02x}"); }},
    {"XML",
     [](std::string s) {
         for (const auto& [from, to] : std::vector<std::pair<const char*, const char*>>{
                  {"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}})
             s = replace_all(s, from, to);
         return replace_all(s, "'", "&#39;");
     }},
    {"shell", [](const std::string& s) { return "'" + replace_all(s, "'", "'\\''") + "'"; }},
    {"reversed",
     [](const std::string& s) {
         return std::string{s.rbegin(), s.rend()};
     }},
};

const std::vector<std::string> kShapes{
    "hunter22",
    "sk_live_51H8xQzL0kPm3nWv7YbRtUcE9",
    "xoxb-123456789012-abcdefABCDEF",
    "p@ss w0rd!",
    "quo\"te's`and$dollars",
    "back\\slash\\n",
    "a/b+c=d&e?f#g",
    "<xml attr=\"1\">&amp;</xml>",
    "pässwörd-ünïcode",
    "密码密码密码",
    "emoji 😀 token",
    "  spaces around  ",
    "trailing newline\n",
    "tab\tand\rcarriage",
    "aaaaaaaaaaaaaaaa",
    "abababababab",
    std::string{"\x00\x01\x02\xff\xfe\x80 binary \x7f", 16},
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n"
    "-----END PRIVATE KEY-----\n",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP",
    "{\"type\":\"service_account\",\"private_key\":\"abc\\ndef\"}",
};

// Feeds `text` in random pieces of up to `most` bytes.
std::string feed_in_pieces(Masker& masker, std::string_view text, std::mt19937_64& random,
                           std::size_t most) {
    std::string out;
    while (!text.empty()) {
        const auto piece = text.substr(0, 1 + test::below(random, most));
        out += masker.feed(OutputStream::out, piece);
        text.remove_prefix(piece.size());
    }
    return out + masker.flush(OutputStream::out);
}

// The longest piece of `secret` that `out` shows.
std::size_t longest_leak(std::string_view out, std::string_view secret) {
    std::size_t longest = 0;
    for (std::size_t at = 0; at < secret.size(); ++at)
        while (at + longest < secret.size() &&
               out.find(secret.substr(at, longest + 1)) != std::string_view::npos)
            ++longest;
    return longest;
}

}  // namespace

TEST_CASE("no encoding of a secret gets through, however it is cut", "[vault]") {
    auto random = test::seeded_random("masking");
    for (const std::string& secret : kShapes) {
        Masker masked = masker({secret});
        REQUIRE(masked.complete());
        for (const Encoding& encoding : kEncodings) {
            // What is not UTF-8 has no JSON form that all writers agree on.
            if (!is_utf8(secret) && std::string_view{encoding.name}.ends_with("JSON")) continue;
            const std::string shown = encoding.encode(secret);
            const std::string text = "before: #" + shown + "# :after\n";
            for (int i = 0; i < 40; ++i) {
                const auto out = feed_in_pieces(masked, text, random, i % 2 == 0 ? 4 : 40);
                INFO("'" << printable(secret) << "' as " << encoding.name << " gave '"
                         << printable(out) << "'");
                REQUIRE(out.find("***") != std::string::npos);
                REQUIRE(longest_leak(out, shown) < 8);
                REQUIRE(out.starts_with("before: #"));
                REQUIRE(out.ends_with("# :after\n"));
            }
        }
    }
}

TEST_CASE("how the output is cut does not change what comes out", "[vault]") {
    auto random = test::seeded_random("cutting");
    const std::vector<std::string> secrets{"abcabcabd", "bcabda", "cabdabcab", "aaaaaa", "dabcab"};
    const Masker whole = masker(secrets);
    Masker pieces = masker(secrets);
    for (int i = 0; i < 2000; ++i) {
        const std::string text = test::random_text(random, test::below(random, 200), "abcd");
        const std::string expected = whole.mask(text);
        INFO(text);
        REQUIRE(feed_in_pieces(pieces, text, random, 1 + test::below(random, 9)) == expected);
        for (const std::string& secret : secrets)
            REQUIRE(expected.find(secret) == std::string::npos);
    }
}

TEST_CASE("a masker goes on in another's place as if it had been there from the start", "[vault]") {
    auto random = test::seeded_random("taking over");
    const std::vector<std::string> secrets{"abcabcabd", "bcabda", "cabdabcab", "aaaaaa", "dabcab"};
    const Masker whole = masker(secrets);
    for (int i = 0; i < 100; ++i) {
        const std::string text = test::random_text(random, test::below(random, 200), "abcd");
        std::string out;
        Masker masked = masker(secrets);
        for (std::string_view rest = text; !rest.empty();) {
            const auto piece = rest.substr(0, 1 + test::below(random, 9));
            out += masked.feed(OutputStream::err, piece);
            rest.remove_prefix(piece.size());
            if (test::below(random, 4) != 0) continue;
            Masker next = masker(secrets);
            next.take_over(OutputStream::err, masked.held(OutputStream::err));
            masked = std::move(next);
        }
        INFO(text);
        REQUIRE(out + masked.flush(OutputStream::err) == whole.mask(text));
    }
}

TEST_CASE("masks cover exactly what a search by hand covers", "[vault]") {
    auto random = test::seeded_random("by hand");
    const std::vector<std::string> secrets{"aabbaabb", "abaaba", "bbbbbb", "babbab"};
    std::vector<std::string> forms = secrets;
    for (const std::string& secret : secrets)
        forms.emplace_back(secret.rbegin(), secret.rend());
    const Masker masked = masker(secrets);
    for (int i = 0; i < 2000; ++i) {
        const std::string text = test::random_text(random, test::below(random, 120), "ab");
        std::vector<bool> covered(text.size());
        for (const std::string& form : forms)
            for (std::size_t at = text.find(form); at != std::string::npos;
                 at = text.find(form, at + 1))
                std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(at), form.size(), true);
        std::string expected;
        for (std::size_t at = 0; at < text.size(); ++at) {
            if (!covered[at])
                expected += text[at];
            else if (at == 0 || !covered[at - 1])
                expected += "***";
        }
        INFO(text);
        REQUIRE(masked.mask(text) == expected);
    }
}

TEST_CASE("clean output passes byte for byte", "[vault]") {
    auto random = test::seeded_random("clean output");
    Masker masked = masker(kShapes);
    std::string text, out;
    for (int i = 0; i < 50; ++i) {
        std::string piece = random_bytes(test::below(random, 5000));
        std::ranges::replace(piece, 's', 'S');
        piece += "\n";
        text += piece;
        out += masked.feed(OutputStream::err, piece);
    }
    out += masked.flush(OutputStream::err);
    CHECK((out == text));
}

TEST_CASE("held back is only what may begin a secret", "[vault]") {
    Masker masked = masker({"hunter22"});
    CHECK(masked.feed(OutputStream::out, "progress: 10 %") == "progress: 10 %");
    CHECK(masked.feed(OutputStream::out, "token hunte") == "token ");
    CHECK(masked.feed(OutputStream::out, "d!") == "hunted!");
    CHECK(masked.feed(OutputStream::out, "a hunter22").starts_with("a "));
    CHECK(masked.feed(OutputStream::out, " and on") == "*** and on");
}

TEST_CASE("a secret cut between two streams is not one secret", "[vault]") {
    Masker masked = masker({"hunter22"});
    CHECK(masked.feed(OutputStream::out, "hunt") == "");
    CHECK(masked.feed(OutputStream::err, "er22") == "er");  // 22 may begin 22retnuh
    CHECK(masked.flush(OutputStream::err) == "22");
    CHECK(masked.feed(OutputStream::out, "er22.") == "***.");
}

TEST_CASE("the end of a stream hands out what was held, and a new one starts clean", "[vault]") {
    Masker masked = masker({"hunter22"});
    CHECK(masked.feed(OutputStream::out, "hunter2") == "");
    CHECK(masked.flush(OutputStream::out) == "hunter2");
    CHECK(masked.feed(OutputStream::out, "2.") == "2.");
    CHECK(masked.flush(OutputStream::out) == "");
    CHECK(masked.feed(OutputStream::out, "hunter22") == "");
    CHECK(masked.flush(OutputStream::out) == "***");
}

TEST_CASE("a secret that is repeated without end needs no memory", "[vault]") {
    Masker masked = masker({"hunter22"});
    std::string out;
    for (int i = 0; i < 10'000; ++i)
        out += masked.feed(OutputStream::out, "hunter22hun");
    CHECK(masked.mask("hunter22hunter22") == "***");
    out += masked.flush(OutputStream::out);
    CHECK(out.find("hunter22") == std::string::npos);
    CHECK(masked.feed(OutputStream::out, std::string(1000, 'h')).size() == 999);
}

TEST_CASE("secrets that are too short or absent leave output as it is", "[vault]") {
    Masker none = masker({});
    CHECK(none.feed(OutputStream::out, "hello") == "hello");
    CHECK(none.flush(OutputStream::out).empty());
    Masker shorts = masker({"", "a", "12345"});
    CHECK(shorts.feed(OutputStream::out, "a 12345") == "a 12345");
    CHECK(shorts.complete());
}

TEST_CASE("a masker can be moved with what it holds", "[vault]") {
    Masker first = masker({"hunter22"});
    CHECK(first.feed(OutputStream::out, "x hunt") == "x ");
    Masker second = std::move(first);
    CHECK(second.feed(OutputStream::out, "er22 y") == "*** y");
}
