// What berthd hands to berth-call, and what comes back: written and read.
#include <catch2/catch.hpp>

#include "connectors/call_request.h"

using namespace berth;

TEST_CASE("a request for berth-call is read as it was written", "[calls]") {
    CallRequest request;
    request.method = "POST";
    request.url = "https://api.example.com/x";
    request.headers = {{"X-A", "1"}, {"X-A", "\"2\""}};
    request.body = "{\"a\": \"\xc3\xa4\"}\n";
    request.has_body = true;
    request.auth = {RequestAuth::Place::basic, "n", "{v}", "{user}", "{password}"};
    request.fields = {{"shop", "acme"}};
    request.secrets = {"password"};
    request.hosts = {"api.example.com"};
    request.named = {"localhost:80"};
    request.time = std::chrono::milliseconds{1234};
    const auto read = parse_call_request(to_text(request));
    REQUIRE(read);
    CHECK(*read == request);
    for (const char* wrong : {"", "{}", "[]", "{\"method\": 1}", "null"}) {
        const auto broken = parse_call_request(wrong);
        REQUIRE_FALSE(broken);
        CHECK(broken.error().kind == FailureKind::invalid);
    }
}

TEST_CASE("an answer of berth-call is read as it was written", "[calls]") {
    CallAnswer answer;
    answer.status = 404;
    answer.type = "text/xml";
    answer.body = std::string{"\0\xff", 2};
    const auto read = read_call_answer(to_fields(answer));
    REQUIRE(read);
    CHECK(read->status == 404);
    CHECK(read->body == answer.body);
    CHECK_FALSE(read_call_answer({}));
    CHECK_FALSE(read_call_answer({{"fault", "none"}, {"status", "0"}}));
    CHECK_FALSE(read_call_answer({{"fault", "strange"}, {"status", "200"}}));
}
