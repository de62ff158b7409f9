// The names an integration may list: read strictly, since what is let through here
// decides whom its scripts can reach.
#include "model/host_name.h"

#include <catch2/catch.hpp>

using namespace berth;

TEST_CASE("a host name is taken in lower case and without its last dot", "[model]") {
    struct Case {
        const char* text;
        const char* name;
    };
    for (const auto& [text, name] :
         std::vector<Case>{{"api.example.com", "api.example.com"},
                           {"API.Example.COM.", "api.example.com"},
                           {"*.example.com", "*.example.com"},
                           {"xn--bcher-kva.example", "xn--bcher-kva.example"},
                           {"_srv.example.com", "_srv.example.com"},
                           {"localhost", "localhost"},
                           {"10-0-0-1.example.com", "10-0-0-1.example.com"}}) {
        INFO(text);
        const auto read = parse_egress_name(text);
        REQUIRE(read);
        CHECK(*read == name);
    }
}

TEST_CASE("what is no host name is refused with the reason", "[model]") {
    struct Case {
        std::string text;
        const char* says;
    };
    for (const auto& [text, says] :
         std::vector<Case>{{"", "it is empty"},
                           {"*.", "its parts have letters"},
                           {".", "its parts have letters"},
                           {"https://api.example.com", "without scheme, port or path"},
                           {"api.example.com:443", "without scheme, port or path"},
                           {"a@b.example", "without scheme, port or path"},
                           {"a b.example", "without scheme, port or path"},
                           {"[::1]", "without scheme, port or path"},
                           {"::1", "without scheme, port or path"},
                           {"a..example", "its parts have letters"},
                           {".example.com", "its parts have letters"},
                           {"-a.example", "its parts have letters"},
                           {"a-.example", "its parts have letters"},
                           {"*", "its parts have letters"},
                           {"*.*.example", "its parts have letters"},
                           {"a.*.example", "its parts have letters"},
                           {"b\xc3\xbc.example", "its parts have letters"},
                           {std::string("a\0b", 3), "its parts have letters"},
                           {std::string(64, 'a') + ".example", "its parts have letters"},
                           {std::string(260, 'a'), "longer than 253 bytes"},
                           {"10.0.0.1", "it is an address"},
                           {"127.1", "it is an address"},
                           {"2130706433", "it is an address"},
                           {"*.0.0.1", "it is an address"}}) {
        INFO(text);
        const auto read = parse_egress_name(text);
        REQUIRE_FALSE(read);
        CHECK(read.error().kind == FailureKind::unprocessable);
        CHECK_THAT(read.error().message, Catch::Contains(says));
    }
}
