// Text forms of bytes.
#include "connectors/encoding.h"

#include <catch2/catch.hpp>

#include "base/text.h"
#include "tests/support/seed.h"

using namespace berth;

TEST_CASE("base64 of either alphabet is read, with and without padding", "[webhooks]") {
    CHECK(decode_base64("").value() == "");
    CHECK(decode_base64("Zg==").value() == "f");
    CHECK(decode_base64("Zg").value() == "f");
    CHECK(decode_base64("Zm8=").value() == "fo");
    CHECK(decode_base64("Zm9v").value() == "foo");
    CHECK(decode_base64("+/+/").value() == decode_base64("-_-_").value());
}

TEST_CASE("what is no base64 is nothing", "[webhooks]") {
    for (const char* text : {"Z", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zm 9v",
                             "Zm9v\n", "Zm9v!", "Zg==Zg=="}) {
        INFO(text);
        CHECK_FALSE(decode_base64(text));
    }
}

TEST_CASE("what was written as base64 is read back", "[webhooks]") {
    auto random = test::seeded_random("base64");
    for (int i = 0; i < 500; ++i) {
        std::string bytes(random() % 80, '\0');
        for (char& c : bytes)
            c = static_cast<char>(random());
        CHECK(decode_base64(to_base64(bytes)).value() == bytes);
    }
}

TEST_CASE("a form's escapes are taken off, and what is none stays", "[webhooks]") {
    CHECK(decode_form("a+b%20c%2B") == "a b c+");
    CHECK(decode_form("100%") == "100%");
    CHECK(decode_form("%zz%4") == "%zz%4");
    CHECK(decode_form("%41%") == "A%");
    CHECK(decode_form("").empty());
}

TEST_CASE("a date of HTTP's is read, and no other form of it", "[webhooks]") {
    const auto micros = [](std::string_view text) -> std::optional<std::int64_t> {
        const auto time = parse_http_date(text);
        if (!time) return {};
        return to_micros(*time);
    };
    CHECK(micros("Sun, 06 Nov 1994 08:49:37 GMT") == 784'111'777'000'000);
    CHECK(micros("Tue, 14 Nov 2023 22:13:20 GMT") == 1'700'000'000'000'000);
    for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                             "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
                             "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
                             "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
                             "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994T08:49:37 GMT"}) {
        INFO(text);
        CHECK_FALSE(micros(text));
    }
}
