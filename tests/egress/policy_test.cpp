// Which addresses are refused, in whatever form they come; what an entry of the
// administrator's list opens, and what it does not.
#include "sandbox/egress/policy.h"

#include <catch2/catch.hpp>

#include "tests/support/seed.h"

using namespace berth;
using namespace berth::egress;

namespace {

Address address(const std::string& text) {
    INFO(text);
    const auto parsed = Address::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

struct Case {
    const char* text;
    const char* kind;  // empty: public
};

// Address literals as scripts may write them to the proxy.
const Case kForms[] = {
    {"127.0.0.1", "a loopback address"},
    {"127.1", "a loopback address"},
    {"127.0.1", "a loopback address"},
    {"127.255.255.254", "a loopback address"},
    {"2130706433", "a loopback address"},
    {"0x7f000001", "a loopback address"},
    {"0X7F.0.0.1", "a loopback address"},
    {"0x7f.1", "a loopback address"},
    {"0177.0.0.1", "a loopback address"},
    {"017700000001", "a loopback address"},
    {"0177.0x0.0.01", "a loopback address"},
    {"0", "an address of 'this network'"},
    {"0.0.0.0", "an address of 'this network'"},
    {"0.1.2.3", "an address of 'this network'"},
    {"10.0.0.5", "a private address"},
    {"0xa.5", "a private address"},
    {"012.0.0.5", "a private address"},
    {"167772165", "a private address"},
    {"172.16.0.1", "a private address"},
    {"172.31.255.255", "a private address"},
    {"192.168.1.1", "a private address"},
    {"3232235777", "a private address"},
    {"100.64.0.1", "an address within a carrier's network"},
    {"100.127.255.255", "an address within a carrier's network"},
    {"169.254.169.254", "a link-local address, where clouds keep their metadata"},
    {"2852039166", "a link-local address, where clouds keep their metadata"},
    {"0xa9fea9fe", "a link-local address, where clouds keep their metadata"},
    {"0251.0376.0251.0376", "a link-local address, where clouds keep their metadata"},
    {"169.254.43518", "a link-local address, where clouds keep their metadata"},
    {"168.63.129.16", "an address of a cloud's own services"},
    {"0xa83f8110", "an address of a cloud's own services"},
    {"::ffff:168.63.129.16", "an address of a cloud's own services"},
    {"64:ff9b::a83f:8110", "an address of a cloud's own services"},
    {"192.0.0.8", "an address for protocol assignments"},
    {"192.0.2.1", "an address for documentation"},
    {"198.51.100.7", "an address for documentation"},
    {"203.0.113.9", "an address for documentation"},
    {"192.88.99.1", "an address of 6to4 relays"},
    {"198.18.0.1", "an address for benchmarks"},
    {"198.19.255.255", "an address for benchmarks"},
    {"224.0.0.1", "a multicast address"},
    {"239.255.255.250", "a multicast address"},
    {"240.0.0.1", "a reserved address"},
    {"255.255.255.255", "a reserved address"},
    {"4294967295", "a reserved address"},
    {"::", "the address of no host"},
    {"::1", "a loopback address"},
    {"0:0:0:0:0:0:0:1", "a loopback address"},
    {"::127.0.0.1", "a reserved address"},  // IPv4-compatible
    {"::ffff:127.0.0.1", "a loopback address"},
    {"::ffff:7f00:1", "a loopback address"},
    {"::ffff:169.254.169.254", "a link-local address, where clouds keep their metadata"},
    {"::ffff:a9fe:a9fe", "a link-local address, where clouds keep their metadata"},
    {"::ffff:10.0.0.5", "a private address"},
    {"0:0:0:0:0:ffff:0a00:0005", "a private address"},
    {"::ffff:0:127.0.0.1", "a reserved address"},  // IPv4-translated
    {"64:ff9b::127.0.0.1", "a loopback address"},
    {"64:ff9b::a9fe:a9fe", "a link-local address, where clouds keep their metadata"},
    {"64:ff9b:1::8.8.8.8", "an address of a local translation to IPv4"},
    {"2002:7f00:1::", "a loopback address"},
    {"2002:a9fe:a9fe::1", "a link-local address, where clouds keep their metadata"},
    {"2002:0a00:0005::1", "a private address"},
    {"2001:0:53aa:64c:0:7fff:f5ff:fffa", "an address of a Teredo tunnel"},
    {"2a00:5::5efe:10.0.0.5", "a private address"},  // ISATAP
    {"2a00:5::200:5efe:a9fe:a9fe", "a link-local address, where clouds keep their metadata"},
    {"fe80::1", "a link-local address"},
    {"febf::1", "a link-local address"},
    {"fec0::1", "a site-local address"},
    {"fc00::1", "a private address"},
    {"fd00:ec2::254", "a private address"},
    {"ff02::1", "a multicast address"},
    {"100::1", "a reserved address"},
    {"2001:db8::1", "an address for documentation"},
    {"3fff:fff::1", "an address for documentation"},
    {"2001:20::1", "an address for protocol assignments"},
    {"5f00::1", "a reserved address"},
    {"4000::1", "a reserved address"},
    // Their neighbours are public.
    {"8.8.8.8", ""},
    {"134744072", ""},
    {"1.1.1.1", ""},
    {"9.255.255.255", ""},
    {"11.0.0.0", ""},
    {"100.63.255.255", ""},
    {"100.128.0.0", ""},
    {"126.255.255.255", ""},
    {"128.0.0.0", ""},
    {"168.63.129.15", ""},
    {"168.63.129.17", ""},
    {"169.253.255.255", ""},
    {"169.255.0.0", ""},
    {"172.15.255.255", ""},
    {"172.32.0.0", ""},
    {"192.167.255.255", ""},
    {"198.17.255.255", ""},
    {"198.20.0.0", ""},
    {"223.255.255.255", ""},
    {"::ffff:8.8.8.8", ""},
    {"64:ff9b::8.8.8.8", ""},
    {"2002:808:808::1", ""},
    {"2606:4700::1111", ""},
    {"2001:4860:4860::8888", ""},
};

const std::vector<std::string> kNoNames;

std::string refuse(const std::vector<AllowEntry>& allow, const Destination& destination,
                   const std::string& to, const std::vector<std::string>& names = kNoNames) {
    return refuse_address({allow, names, {}}, destination, address(to), {});
}

AllowEntry entry(const std::string& text) {
    auto parsed = parse_allow(text);
    INFO(text);
    REQUIRE(parsed);
    return *parsed;
}

}  // namespace

TEST_CASE("every form of an inner address is refused for what it is", "[egress]") {
    for (const Case& form : kForms) {
        INFO(form.text);
        const auto parsed = Address::parse_loosely(form.text);
        REQUIRE(parsed);
        CHECK(kind_of_refused(*parsed) == form.kind);
    }
}

TEST_CASE("an address in IPv6 clothes is never better off", "[egress]") {
    auto random = test::seeded_random("addresses in IPv6 clothes");
    for (int i = 0; i < 20'000; ++i) {
        const auto number = static_cast<std::uint32_t>(random());
        const Address plain = Address::v4(number);
        const std::string four = plain.text();
        CHECK(address("::ffff:" + four) == plain);
        if (kind_of_refused(plain).empty()) continue;
        CHECK(kind_of_refused(address("64:ff9b::" + four)) == kind_of_refused(plain));
        CHECK(kind_of_refused(address(fmt::format("2002:{:x}:{:x}::1", number >> 16,
                                                  number & 0xffff))) == kind_of_refused(plain));
        CHECK_FALSE(kind_of_refused(address("::" + four)).empty());
    }
}

TEST_CASE("what ends in a number is never a name", "[egress]") {
    for (const char* text : {"127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "a.0x7f", "x.1",
                             "1", "0x", "foo.09", "127.0.0.1."})
        CHECK_FALSE(host_name(text));
    for (const char* text : {"", ".", "a..b", ".a", "a b", "a/b", "a:80", "[::1]", "a\n.b", "é.fr",
                             "a@b", "*.a", "a%2eb"})
        CHECK_FALSE(host_name(text));
    CHECK_FALSE(host_name(std::string(254, 'a')));
    CHECK_FALSE(host_name(std::string(64, 'a') + ".com"));
    CHECK(host_name("API.Example.COM.") == "api.example.com");
    CHECK(host_name("_dmarc.x-y.z9") == "_dmarc.x-y.z9");
    CHECK(host_name("localhost") == "localhost");
}

TEST_CASE("an address of the host itself is refused though it is public", "[egress]") {
    const std::vector own{address("5.5.5.1"), address("2a00:5::1")};
    const Policy policy;
    const Destination to{"api.example.com", 443};
    CHECK(refuse_address(policy, to, address("5.5.5.1"), own) == "an address of this host itself");
    CHECK(refuse_address(policy, to, address("2a00:5::1"), own) ==
          "an address of this host itself");
    CHECK(refuse_address(policy, to, address("5.5.5.2"), own).empty());
    // By a translation or a tunnel that leads back.
    for (const char* again :
         {"::ffff:5.5.5.1", "64:ff9b::5.5.5.1", "2002:505:501::1", "2a00:9::5efe:5.5.5.1"})
        CHECK(refuse_address(policy, to, address(again), own) == "an address of this host itself");
    CHECK(refuse_address(policy, to, address("64:ff9b::5.5.5.2"), own).empty());
}

TEST_CASE("an entry opens exactly what it says", "[egress]") {
    const std::vector by_address{entry("10.0.0.5:5432")};
    CHECK(refuse(by_address, {"", 5432}, "10.0.0.5").empty());
    CHECK(refuse(by_address, {"db.example.com", 5432}, "10.0.0.5").empty());
    CHECK(refuse(by_address, {"", 5433}, "10.0.0.5") == "a private address");
    CHECK(refuse(by_address, {"", 5432}, "10.0.0.6") == "a private address");

    const std::vector by_network{entry("10.1.0.0/16"), entry("[fd00:1::]/32:443")};
    CHECK(refuse(by_network, {"", 1}, "10.1.255.255").empty());
    CHECK(refuse(by_network, {"", 1}, "10.2.0.0") == "a private address");
    CHECK(refuse(by_network, {"", 443}, "fd00:1::9").empty());
    CHECK(refuse(by_network, {"", 80}, "fd00:1::9") == "a private address");

    const std::vector by_name{entry("db.internal:5432"), entry("*.lan")};
    CHECK(refuse(by_name, {"db.internal", 5432}, "10.0.0.5").empty());
    CHECK(refuse(by_name, {"db.internal", 80}, "10.0.0.5") == "a private address");
    CHECK(refuse(by_name, {"other.internal", 5432}, "10.0.0.5") == "a private address");
    CHECK(refuse(by_name, {"", 5432}, "10.0.0.5") == "a private address");  // by address
    CHECK(refuse(by_name, {"a.b.lan", 1}, "127.0.0.1").empty());
    CHECK(refuse(by_name, {"lan", 1}, "127.0.0.1") == "a loopback address");
    CHECK(refuse(by_name, {"evil-lan", 1}, "127.0.0.1") == "a loopback address");
}

TEST_CASE("an entry is read as it was written, or refused with a cure", "[egress]") {
    CHECK(entry("DB.Internal.") == AllowEntry{"db.internal", {}, 0});
    CHECK(entry("*.lan:80") == AllowEntry{"*.lan", {}, 80});
    CHECK(entry("10.0.0.5") == AllowEntry{"", {address("10.0.0.5"), 32}, 0});
    CHECK(entry("10.0.0.0/8:22") == AllowEntry{"", {address("10.0.0.0"), 8}, 22});
    CHECK(entry("fd00::5") == AllowEntry{"", {address("fd00::5"), 128}, 0});
    CHECK(entry("fd00::/8") == AllowEntry{"", {address("fd00::"), 8}, 0});
    CHECK(entry("[fd00::5]:443") == AllowEntry{"", {address("fd00::5"), 128}, 443});
    CHECK(entry("[fd00::/8]:443") == AllowEntry{"", {address("fd00::"), 8}, 443});
    for (const char* text : {"",
                             ":80",
                             "a:",
                             "a:0",
                             "a:65536",
                             "a:b",
                             "*",
                             "*.",
                             "a.*.b",
                             "10.0.0.0/33",
                             "10.0.0.0/",
                             "10.0.0/8",
                             "::ffff:10.0.0.0/104",
                             "[fd00::5",
                             "[fd00::5]443",
                             "[fd00::5]:",
                             "fd00::5:443:",
                             "http://a",
                             "a b",
                             "0x7f.1",
                             "[]"}) {
        INFO(text);
        const auto refused = parse_allow(text);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == FailureKind::unprocessable);
        CHECK(refused.error().message ==
              "'" + std::string{text} +
                  "' cannot be allowed: give a host name ('*.' in front for all below it), an "
                  "address or a network as in '10.1.0.0/16', and ':PORT' for one port of it");
    }
}

TEST_CASE("a run with a list of names reaches those only", "[egress]") {
    const std::vector<std::string> names{"api.example.com", "*.files.example.com"};
    const std::vector allow{entry("10.0.0.5")};
    const Policy policy{allow, names, {}};
    const std::string not_listed = "not one of the names that the integration may reach";
    CHECK(refuse_name(policy, "api.example.com").empty());
    CHECK(refuse_name(policy, "a.b.files.example.com").empty());
    CHECK(refuse_name(policy, "files.example.com") == not_listed);
    CHECK(refuse_name(policy, "example.com") == not_listed);
    CHECK(refuse_name(policy, "api.example.com.evil.com") == not_listed);
    CHECK(refuse_name(policy, "xapi.example.com") == not_listed);
    CHECK(refuse(allow, {"", 443}, "5.5.5.2", names) ==
          "an address, where the integration may reach names only");
    CHECK(refuse(allow, {"", 443}, "10.0.0.5", names).empty());  // the administrator's word
    CHECK(refuse_name(Policy{}, "any.example.com").empty());
}

TEST_CASE("the port of mail servers is closed, unless the administrator names it", "[egress]") {
    CHECK(refuse_address(Policy{}, {"a.com", 25}, address("5.5.5.2"), {}) ==
          "port 25 is for mail servers among themselves; send mail by port 465 or 587");
    CHECK(refuse_address(Policy{}, {"a.com", 587}, address("5.5.5.2"), {}).empty());
    const std::vector<std::uint16_t> ports{25};
    CHECK(refuse_address(Policy{{}, {}, ports}, {"a.com", 25}, address("5.5.5.2"), {}).empty());
    const std::vector allow{entry("a.com:25")};
    CHECK(refuse_address(Policy{allow, {}, {}}, {"a.com", 25}, address("5.5.5.2"), {}).empty());
}

TEST_CASE("a list of ports holds for everybody but the administrator's entries", "[egress]") {
    const std::vector<std::uint16_t> ports{80, 443};
    const std::vector allow{entry("10.0.0.5:5432")};
    const Policy policy{allow, {}, ports};
    CHECK(refuse_address(policy, {"a.com", 443}, address("5.5.5.2"), {}).empty());
    CHECK(refuse_address(policy, {"a.com", 25}, address("5.5.5.2"), {}) ==
          "not one of the ports that scripts may reach");
    CHECK(refuse_address(policy, {"", 5432}, address("10.0.0.5"), {}).empty());
}

TEST_CASE("one refused address refuses the name", "[egress]") {
    const std::vector both{address("5.5.5.2"), address("10.0.0.5")};
    Address refused;
    CHECK(refuse_any(Policy{}, {"mixed.test", 443}, both, {}, refused) == "a private address");
    CHECK(refused == address("10.0.0.5"));
    const std::vector good{address("5.5.5.2"), address("2a00:5::2")};
    CHECK(refuse_any(Policy{}, {"good.test", 443}, good, {}, refused).empty());
}
