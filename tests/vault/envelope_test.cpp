// The envelope: what it opens for, and everything it is refused for.
#include "vault/envelope.h"

#include <catch2/catch.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "tests/support/seed.h"
#include "vault/open.h"
#include "vault/seal.h"

using namespace berth;
using namespace berth::vault;

namespace {

Identity some_field() {
    return {std::string(16, 'i'), {ScopeKind::tenant, 7}, ObjectKind::connector, 3, "api_key", 1};
}

const Secret& some_key() {
    static const Secret key{std::string(32, 'k')};
    return key;
}

std::string sealed(std::string_view plaintext, const Identity& identity = some_field(),
                   Algorithm algorithm = Algorithm::aes_256_gcm) {
    return seal(some_key(), 9, Purpose::secret, identity, plaintext, algorithm).value();
}

Result<Secret> opened(std::string_view envelope, const Identity& identity = some_field()) {
    return vault_open::open(some_key(), 9, Purpose::secret, identity, envelope);
}

void refused(const Result<Secret>& result, FailureKind kind, const std::string& message) {
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == kind);
    CHECK_THAT(result.error().message, Catch::Contains(message));
}

}  // namespace

TEST_CASE("an envelope opens to what was sealed, with every padding and algorithm", "[vault]") {
    const auto algorithm = GENERATE(Algorithm::aes_256_gcm, Algorithm::chacha20_poly1305);
    for (const std::size_t size :
         {0U, 1U, 63U, 64U, 65U, 256U, 257U, 1024U, 4096U, 4097U, 16384U, 65536U}) {
        INFO(size);
        const std::string plaintext = random_bytes(size);
        const std::string envelope = sealed(plaintext, some_field(), algorithm);
        const auto back = opened(envelope);
        REQUIRE(back);
        CHECK(back->reveal() == plaintext);
        std::size_t padded = 64;
        while (padded < size)
            padded *= 4;
        CHECK(envelope.size() == 90 + kLengthBytes + padded);
        CHECK(envelope.find("api_key") == std::string::npos);
    }
}

TEST_CASE("a secret over the limit is refused", "[vault]") {
    const auto result = seal(some_key(), 9, Purpose::secret, some_field(), std::string(65537, 'x'));
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == FailureKind::over_limit);
    CHECK(result.error().message == "a secret of 65537 bytes is too large: at most 65536 bytes");
}

TEST_CASE("the bytes of header and identity are those of the format", "[vault]") {
    const Header header{Algorithm::chacha20_poly1305, Purpose::dek,        2, 0x01020304,
                        std::string(32, 'S'),         std::string(32, 'C')};
    CHECK(to_hex(format_header(header).substr(0, 10)) == "42560102020201020304");
    CHECK(format_header(header).substr(10) == std::string(32, 'S') + std::string(32, 'C'));

    Identity identity = some_field();
    identity.version = 0x0102;
    CHECK(to_hex(identity_bytes(identity).value()) ==
          "69696969696969696969696969696969"
          "01"
          "00000000000000000000000000000007"
          "03"
          "00000000000000000000000000000003"
          "0007"
          "6170695f6b6579"
          "0000000000000102");
    identity.install_id = "short";
    CHECK(identity_bytes(identity).error().kind == FailureKind::invalid);
    identity = some_field();
    identity.field.assign(70'000, 'f');
    CHECK(identity_bytes(identity).error().kind == FailureKind::over_limit);
}

TEST_CASE("an envelope with any one bit changed is refused", "[vault]") {
    const std::string good = sealed("a token");
    REQUIRE(opened(good));
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        INFO("bit " << bit);
        const auto result = opened(bad);
        REQUIRE_FALSE(result);
        if (bit / 8 >= kHeaderBytes) refused(result, FailureKind::conflict, "tampered");
    }
}

TEST_CASE("a header byte changed to anything else is refused", "[vault]") {
    const std::string good = sealed("a token");
    for (std::size_t at = 0; at < kHeaderBytes; ++at)
        for (int change = 1; change < 256; ++change) {
            std::string bad = good;
            bad[at] = static_cast<char>(bad[at] ^ change);
            if (opened(bad)) FAIL("byte " << at << " xor " << change << " was accepted");
        }
}

TEST_CASE("a shorter or longer envelope is refused", "[vault]") {
    const std::string good = sealed("a token");
    for (std::size_t size = 0; size < good.size(); ++size)
        refused(opened(good.substr(0, size)), FailureKind::invalid, "not an envelope");
    for (const std::size_t more : {1U, 15U, 16U, 192U, 70000U})
        refused(opened(good + std::string(more, '\0')), FailureKind::invalid, "its size");
}

TEST_CASE("random damage is refused", "[vault]") {
    auto random = test::seeded_random("random damage");
    const std::string good = sealed("a token");
    for (int i = 0; i < 20'000; ++i) {
        std::string bad = good;
        for (std::size_t n = 1 + test::below(random, 8); n > 0; --n)
            bad[test::below(random, bad.size())] = static_cast<char>(random());
        if (bad != good && opened(bad)) FAIL("accepted: " << to_hex(bad));
    }
}

TEST_CASE("each refusal says what it is for the operator", "[vault]") {
    const std::string good = sealed("a token");
    const Secret other{std::string(32, 'o')};
    refused(vault_open::open(other, 9, Purpose::secret, some_field(), good), FailureKind::denied,
            "wrong key: key '9'");
    refused(vault_open::open(some_key(), 8, Purpose::secret, some_field(), good),
            FailureKind::unavailable, "sealed with key '9' and not with key '8'");
    refused(vault_open::open(some_key(), 9, Purpose::dek, some_field(), good),
            FailureKind::conflict, "another purpose");
    std::string bad = good;
    bad[2] = 2;
    refused(opened(bad), FailureKind::invalid, "its format is unknown");
    bad = good;
    bad[3] = 3;
    refused(opened(bad), FailureKind::invalid, "its algorithm is unknown");
    bad = good;
    bad[4] = 4;
    refused(opened(bad), FailureKind::invalid, "its purpose is unknown");
    bad = good;
    bad[5] = 6;
    refused(opened(bad), FailureKind::invalid, "its padding is unknown");
    bad = good;
    bad[3] = 2;  // the algorithm is authenticated, not only looked up
    refused(opened(bad), FailureKind::conflict, "tampered");
}

TEST_CASE("no envelope opens in the place of another", "[vault]") {
    std::vector<Identity> places;
    for (const std::int64_t tenant : {7, 8})
        for (const std::int64_t connector : {3, 4})
            for (const char* field : {"api_key", "api_kez", "api_key2", ""})
                for (const std::uint64_t version : {1U, 2U})
                    places.push_back({std::string(16, 'i'),
                                      {ScopeKind::tenant, tenant},
                                      ObjectKind::connector,
                                      connector,
                                      field,
                                      version});
    places.push_back(places[0]);
    places.back().scope.kind = ScopeKind::integration;
    places.push_back(places[0]);
    places.back().object_kind = ObjectKind::data_key;
    places.push_back(places[0]);
    places.back().install_id = std::string(16, 'j');
    std::vector<std::string> envelopes;
    for (const Identity& place : places)
        envelopes.push_back(sealed("a token", place));

    int swapped = 0;
    for (std::size_t from = 0; from < places.size(); ++from)
        for (std::size_t to = 0; to < places.size(); ++to) {
            const auto result = opened(envelopes[from], places[to]);
            if (from == to) {
                CHECK(result);
                continue;
            }
            if (result) FAIL("the envelope of " << from << " opened as " << to);
            if (result.error().kind != FailureKind::conflict) FAIL(result.error().message);
            ++swapped;
        }
    CHECK(swapped == 35 * 34);
}

TEST_CASE("refusals hold nothing of the plaintext", "[vault]") {
    const std::string canary = "canary-7d1f0a93";
    std::string envelope = sealed(canary);
    CHECK(envelope.find(canary) == std::string::npos);
    envelope.back() = static_cast<char>(envelope.back() ^ 1);
    const auto result = opened(envelope);
    REQUIRE_FALSE(result);
    CHECK_THAT(result.error().message, !Catch::Contains(canary));
}
