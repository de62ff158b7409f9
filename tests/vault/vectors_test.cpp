// Project Wycheproof's vectors through the primitives that seal and open.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/crypto.h"
#include "base/text.h"
#include "vault/aead.h"
#include "vault/aead_open.h"
#include "vault/derive.h"

using namespace berth;
using namespace berth::vault;

namespace {

std::optional<nlohmann::json> vectors(const std::string& name) {
    const std::filesystem::path path =
        BERTH_SOURCE_DIR "/../shared/testdata/wycheproof/" + name + ".json";
    if (!std::filesystem::exists(path)) {
        std::cout << "skipped: there are no vectors at ../shared/testdata/wycheproof/" << name
                  << ".json\n";
        return {};
    }
    std::ifstream file{path};
    return nlohmann::json::parse(file);
}

std::string bytes(const nlohmann::json& test, const char* name) {
    return from_hex(test.at(name).get<std::string>()).value();
}

}  // namespace

TEST_CASE("AES-256-GCM agrees with the published vectors", "[vault]") {
    const auto file = vectors("aes_gcm_test");
    if (!file) return;
    int sealed = 0, refused = 0;
    for (const auto& group : file->at("testGroups")) {
        if (group.at("keySize") != 256 || group.at("ivSize") != 96 || group.at("tagSize") != 128)
            continue;  // sizes that we never use
        for (const auto& test : group.at("tests")) {
            INFO("test " << test.at("tcId"));
            const auto key = bytes(test, "key"), iv = bytes(test, "iv"), aad = bytes(test, "aad");
            const auto message = bytes(test, "msg");
            const auto ciphertext = bytes(test, "ct"), tag = bytes(test, "tag");
            const auto back =
                vault_open::decrypt(Algorithm::aes_256_gcm, key, iv, aad, ciphertext, tag);
            if (test.at("result") == "valid") {
                CHECK(encrypt(Algorithm::aes_256_gcm, key, iv, aad, message) == ciphertext + tag);
                REQUIRE(back);
                CHECK(back->reveal() == message);
                ++sealed;
            } else {
                CHECK_FALSE(back);
                ++refused;
            }
        }
    }
    CHECK(sealed >= 39);
    CHECK(refused >= 20);
}

TEST_CASE("ChaCha20-Poly1305 agrees with RFC 8439", "[vault]") {
    const auto hex = [](const char* text) { return from_hex(text).value(); };
    const auto key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    const auto iv = hex("070000004041424344454647");
    const auto aad = hex("50515253c0c1c2c3c4c5c6c7");
    const std::string message =
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        "future, sunscreen would be it.";
    const auto sealed = encrypt(Algorithm::chacha20_poly1305, key, iv, aad, message);
    CHECK(to_hex(sealed.substr(message.size())) == "1ae10b594f09e26a7e902ecbd0600691");
    CHECK(to_hex(sealed.substr(0, 16)) == "d31a8d34648e60db7b86afbc53ef7ec2");
    const auto back =
        vault_open::decrypt(Algorithm::chacha20_poly1305, key, iv, aad,
                            sealed.substr(0, message.size()), sealed.substr(message.size()));
    REQUIRE(back);
    CHECK(back->reveal() == message);
}

TEST_CASE("HKDF agrees with the published vectors", "[vault]") {
    const auto file = vectors("hkdf_sha256_test");
    if (!file) return;
    int checked = 0;
    for (const auto& group : file->at("testGroups")) {
        for (const auto& test : group.at("tests")) {
            if (test.at("result") != "valid") continue;  // over 255 blocks: an assertion of ours
            INFO("test " << test.at("tcId"));
            auto salt = bytes(test, "salt");
            if (salt.empty()) salt.assign(32, '\0');  // RFC 5869 2.2
            const auto extracted = hmac_sha256(salt, bytes(test, "ikm"));
            const auto expanded =
                hkdf_expand(extracted, bytes(test, "info"), test.at("size").get<std::size_t>());
            CHECK(to_hex(expanded.reveal()) == test.at("okm").get<std::string>());
            ++checked;
        }
    }
    CHECK(checked >= 80);
}

TEST_CASE("HMAC agrees with the published vectors", "[vault]") {
    const auto file = vectors("hmac_sha256_test");
    if (!file) return;
    int valid = 0, invalid = 0;
    for (const auto& group : file->at("testGroups")) {
        const auto size = group.at("tagSize").get<std::size_t>() / 8;
        for (const auto& test : group.at("tests")) {
            INFO("test " << test.at("tcId"));
            const auto mac = hmac_sha256(bytes(test, "key"), bytes(test, "msg")).substr(0, size);
            const bool good = test.at("result") == "valid";
            CHECK(equal_constant_time(mac, bytes(test, "tag")) == good);
            ++(good ? valid : invalid);
        }
    }
    CHECK(valid > 50);
    CHECK(invalid > 50);
}

TEST_CASE("a one-time key is derived as the format says", "[vault]") {
    const Secret key{std::string(32, 'k')};
    const std::string salt(32, 's');
    const auto once = OneTimeKey::derive(key, Purpose::secret, salt);
    // HKDF-Expand by hand: T(n) = HMAC(key, T(n-1) | info | n).
    const std::string info = "v1|secret|" + salt;
    std::string all, block;
    for (const char n : {'\1', '\2', '\3'})
        all += block = hmac_sha256(key.reveal(), block + info + n);
    CHECK(once.key() == all.substr(0, 32));
    CHECK(once.commitment() == all.substr(32, 32));
    CHECK(once.iv() == all.substr(64, 12));
    CHECK(OneTimeKey::derive(key, Purpose::dek, salt).key() != once.key());
    CHECK(OneTimeKey::derive(key, Purpose::kek, salt).key() != once.key());
}
