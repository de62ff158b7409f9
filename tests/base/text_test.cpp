#include "base/text.h"

#include <catch2/catch.hpp>
#include <cstdint>

using namespace berth;

TEST_CASE("text is trimmed, split and folded without a locale", "[base]") {
    CHECK(trim(" \t\r\n a b \v\f") == "a b");
    CHECK(trim(" \n").empty());
    CHECK(trim("").empty());
    CHECK(split("a,b,,c", ',') == std::vector<std::string>{"a", "b", "", "c"});
    CHECK(split("", ',') == std::vector<std::string>{""});
    CHECK(split(",", ',') == std::vector<std::string>{"", ""});
    CHECK(to_lower_ascii("AbZ-É") == "abz-É");
    CHECK(to_upper_ascii("aBz-é") == "ABZ-é");
}

TEST_CASE("a number is the whole text or nothing", "[base]") {
    CHECK(to_number<int>("42") == 42);
    CHECK(to_number<int>("-42") == -42);
    CHECK(to_number<std::uint8_t>("255") == 255);
    CHECK(to_number<double>("2.5") == 2.5);
    for (const char* junk : {"", " 1", "1 ", "+1", "0x1", "1a", "--1"}) {
        INFO(junk);
        CHECK_FALSE(to_number<int>(junk));
    }
    CHECK_FALSE(to_number<std::uint8_t>("256"));
    CHECK_FALSE(to_number<std::uint32_t>("-1"));
    CHECK_FALSE(to_number<int>("99999999999"));
}

TEST_CASE("hex goes both ways and refuses junk", "[base]") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte)
        all += static_cast<char>(byte);
    CHECK(to_hex(all).substr(0, 8) == "00010203");
    CHECK(from_hex(to_hex(all)) == all);
    CHECK(from_hex("fFa0") == "\xff\xa0");
    CHECK(from_hex("")->empty());
    for (const char* junk : {"0", "0g", "zz", "0 ", "0x"}) {
        INFO(junk);
        CHECK_FALSE(from_hex(junk));
    }
}

TEST_CASE("base64 has RFC 4648's vectors", "[base]") {
    CHECK(to_base64("") == "");
    CHECK(to_base64("f") == "Zg==");
    CHECK(to_base64("fo") == "Zm8=");
    CHECK(to_base64("foo") == "Zm9v");
    CHECK(to_base64("foob") == "Zm9vYg==");
    CHECK(to_base64("fooba") == "Zm9vYmE=");
    CHECK(to_base64("foobar") == "Zm9vYmFy");
    CHECK(to_base64("\xfb\xff\xbf") == "+/+/");
}

TEST_CASE("UTF-8 is what RFC 3629 says and nothing more", "[base]") {
    for (const char* good : {"", "a", "é", "€", "😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf",
                             "\xee\x80\x80", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}) {
        INFO(to_hex(good));
        CHECK(is_utf8(good));
    }
    CHECK(is_utf8(std::string_view{"a\0b", 3}));
    for (const char* bad : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3\x28",
                            "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",
                            "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80",
                            "\xf5\x80\x80\x80", "\xff", "\xfe", "a\xe2\x28\xa1"}) {
        INFO(to_hex(bad));
        CHECK_FALSE(is_utf8(bad));
    }
}

TEST_CASE("text for a terminal has no control characters and an end", "[base]") {
    CHECK(printable("plain é") == "plain é");
    CHECK(printable("a\x1b[31mb\r\n") == "a\\x1b[31mb\\x0d\\x0a");
    CHECK(printable(std::string(1000, 'x'), 10).size() < 40);
    CHECK(printable(std::string(1000, 'x'), 10).starts_with("xxxxxxxxxx"));
}
