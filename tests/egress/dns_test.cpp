// The stub's little DNS: exactly one question in, at most one address out, and no
// bytes that make it stumble.
#include "sandbox/egress/dns.h"

#include <catch2/catch.hpp>

#include "tests/support/seed.h"

using namespace berth;
using namespace berth::egress;

namespace {

std::string number(unsigned value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

std::string labels(const std::vector<std::string>& all) {
    std::string name;
    for (const auto& label : all)
        name += static_cast<char>(label.size()) + label;
    return name + '\0';
}

const std::string kOpt =
    std::string(1, '\0') + number(41) + number(4096) + number(0) + number(0) + number(0);

std::string query(const std::string& name, unsigned type = 1, const std::string& additional = {}) {
    return number(0x1234) + number(0x0100) + number(1) + number(0) + number(0) +
           number(additional.empty() ? 0 : 1) + name + number(type) + number(1) + additional;
}

}  // namespace

TEST_CASE("a question is read", "[egress]") {
    const auto question = parse_dns(query(labels({"API", "Example", "com"})));
    REQUIRE(question);
    CHECK(question->id == 0x1234);
    CHECK(question->name == "api.example.com");
    CHECK(question->type == kDnsTypeA);
    CHECK(question->kind == kDnsClassInternet);
    CHECK(question->recursion_desired);
    CHECK_FALSE(question->edns);
    CHECK(parse_dns(query(labels({"a"}), 28, kOpt))->edns);
    CHECK(parse_dns(query(labels({})))->name == "");
}

TEST_CASE("an answer repeats the question and gives the address", "[egress]") {
    const std::string name = labels({"ApI", "Example", "com"});
    const auto question = parse_dns(query(name, 1, kOpt));
    REQUIRE(question);
    CHECK(make_dns_answer(*question, DnsCode::no_error, Address::parse("198.18.0.7")) ==
          number(0x1234) + number(0x8180) + number(1) + number(1) + number(0) + number(1) + name +
              number(1) + number(1) + number(0xc00c) + number(1) + number(1) + number(0) +
              number(60) + number(4) + std::string{"\xc6\x12\x00\x07", 4} + std::string(1, '\0') +
              number(41) + number(1232) + number(0) + number(0) + number(0));
    const auto plain = parse_dns(query(name));
    CHECK(make_dns_answer(*plain, DnsCode::no_such_name) ==
          number(0x1234) + number(0x8183) + number(1) + number(0) + number(0) + number(0) + name +
              number(1) + number(1));
}

TEST_CASE("what is not exactly one question gets no answer", "[egress]") {
    const std::string good = query(labels({"a", "com"}));
    REQUIRE(parse_dns(good));
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK_FALSE(parse_dns(good.substr(0, size)));
    CHECK_FALSE(parse_dns(good + "x"));
    const auto with = [&](std::size_t at, char byte) {
        std::string changed = good;
        changed[at] = byte;
        return parse_dns(changed);
    };
    CHECK_FALSE(with(2, '\x81'));   // an answer
    CHECK_FALSE(with(2, '\x03'));   // truncated
    CHECK_FALSE(with(5, '\x02'));   // two questions
    CHECK_FALSE(with(7, '\x01'));   // with an answer
    CHECK_FALSE(with(9, '\x01'));   // with an authority
    CHECK_FALSE(with(11, '\x01'));  // an additional record that is not there
    CHECK_FALSE(with(12, '\xc0'));  // a pointer
    CHECK_FALSE(with(12, '\x40'));  // a label type that is none
    std::string endless;
    for (int i = 0; i < 200; ++i)
        endless +=
            "\x01"
            "a";
    CHECK_FALSE(parse_dns(query(endless + '\0')));
}

TEST_CASE("a dot within a label does not make two of it", "[egress]") {
    const auto question = parse_dns(query(labels({"a.good", "com"})));
    REQUIRE(question);
    CHECK(question->name != "a.good.com");
    CHECK(parse_dns(query(labels({std::string{"a\0b", 3}})))->name.find('\0') == std::string::npos);
}

TEST_CASE("no bytes make the parser of questions stumble", "[egress]") {
    auto random = test::seeded_random("hostile DNS");
    const std::string seeds[] = {query(labels({"a", "com"})), query(labels({"a"}), 28, kOpt),
                                 query(labels({std::string(63, 'x'), std::string(63, 'y')}))};
    int understood = 0;
    for (int i = 0; i < 200'000; ++i) {
        std::string bytes = seeds[test::below(random, 3)];
        for (auto changes = test::below(random, 4); changes > 0; --changes)
            bytes[test::below(random, bytes.size())] = static_cast<char>(random());
        if (test::below(random, 4) == 0) bytes.resize(test::below(random, bytes.size() + 8));
        const auto question = parse_dns(bytes);
        if (!question) continue;
        ++understood;
        REQUIRE(question->name.size() <= 255);
        const std::string answer = make_dns_answer(*question, DnsCode::no_such_name);
        REQUIRE(answer.size() <= bytes.size() + 11);  // nothing is amplified
        REQUIRE(answer.substr(12, question->raw.size()) == question->raw);
    }
    CHECK(understood > 1000);
}
