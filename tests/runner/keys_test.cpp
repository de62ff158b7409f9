// The runner's keys by message: checking MACs under sealed keys.
#include "sandbox/runner/keys.h"

#include <catch2/catch.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "tests/runner/hand_played.h"

using namespace berth;
using namespace berth::runner;

namespace {

const ipc::Scope kTenant{ipc::ScopeKind::tenant, 7};

Keys loaded_keys() {
    Keys keys{vault::make_root_key(Secret{std::string(32, 'r')})};
    REQUIRE(keys.load({std::string(16, 'i'), {}}).ok);
    return keys;
}

ipc::RunSecret sealed(Keys& keys, const std::string& field, std::string_view value) {
    ipc::RunSecret secret;
    secret.where = {kTenant, 3, field, 1};
    secret.data_key = keys.new_data_key({1, kTenant, 42}).key;
    ipc::Seal seal;
    seal.data_key = secret.data_key;
    seal.where = secret.where;
    seal.plaintext = Secret{value};
    secret.envelope = keys.seal(seal).envelope;
    return secret;
}

// As if the store held these and no others.
ipc::Manifest list_of(Keys& keys, const std::vector<ipc::RunSecret>& secrets,
                      const ipc::Manifest& last = {}) {
    const auto list = next_list(last, secrets);
    return signed_list(list, keys.make_manifest(list).mac);
}

ipc::CheckMac question(const ipc::Manifest& list, std::vector<ipc::RunSecret> secrets,
                       std::string claim) {
    ipc::CheckMac check;
    check.request = 9;
    check.keys = std::move(secrets);
    check.manifests = {list};
    check.message = "id.time.body";
    check.candidates = {std::move(claim)};
    return check;
}

}  // namespace

TEST_CASE("a message signed under a sealed key is right, any other is not", "[runner]") {
    Keys keys = loaded_keys();
    const auto key = sealed(keys, "signing_key", "shh");
    const auto list = list_of(keys, {key});
    const std::string mac = hmac_sha256("shh", "id.time.body");

    const auto right = keys.check_mac(question(list, {key}, mac));
    CHECK(right.request == 9);
    CHECK(right.right);
    CHECK(right.why.empty());

    auto changed = question(list, {key}, mac);
    changed.message += ".";
    CHECK_FALSE(keys.check_mac(changed).right);
    CHECK(keys.check_mac(changed).why.empty());
    CHECK_FALSE(keys.check_mac(question(list, {key}, hmac_sha256("ssh", "id.time.body"))).right);
    CHECK_FALSE(keys.check_mac(question(list, {key}, "")).right);
}

TEST_CASE("while a signing key is replaced, the old and the new one are right", "[runner]") {
    Keys keys = loaded_keys();
    const std::vector both{sealed(keys, "old", "shh"), sealed(keys, "new", "hush")};
    const auto list = list_of(keys, both);
    CHECK(keys.check_mac(question(list, both, hmac_sha256("shh", "id.time.body"))).right);
    CHECK(keys.check_mac(question(list, both, hmac_sha256("hush", "id.time.body"))).right);
    CHECK_FALSE(keys.check_mac(question(list, both, hmac_sha256("third", "id.time.body"))).right);
}

TEST_CASE("a key is used in the form its provider gives it", "[runner]") {
    Keys keys = loaded_keys();
    const auto key = sealed(keys, "signing_key", "whsec_" + to_base64("raw key"));
    auto check = question(list_of(keys, {key}), {key}, hmac_sha256("raw key", "id.time.body"));
    check.key_prefix = "whsec_";
    check.key_form = ipc::MacKeyForm::base64;
    CHECK(keys.check_mac(check).right);
    check.key_form = ipc::MacKeyForm::raw;
    CHECK_FALSE(keys.check_mac(check).right);
    check.key_form = ipc::MacKeyForm::hex;
    CHECK(keys.check_mac(check).why ==
          "cannot use the secret 'signing_key': the key is not in hex digits; store it as the "
          "provider shows it");
}

TEST_CASE("what cannot be checked is not right, and says why", "[runner]") {
    Keys keys = loaded_keys();
    const std::string mac = hmac_sha256("shh", "id.time.body");
    const auto good = sealed(keys, "signing_key", "shh");
    const auto list = list_of(keys, {good});
    const auto refused = [&](const ipc::CheckMac& check, const std::string& why) {
        const auto answer = keys.check_mac(check);
        CHECK_FALSE(answer.right);
        CHECK_THAT(answer.why, Catch::Contains(why));
    };
    refused(question(list, {}, mac), "there is no key to check with");
    auto foreign = good;
    foreign.where.scope.id = 8;
    // Also beside a key that fits: somebody has moved it here.
    refused(question(list, {good, foreign}, mac), "is not on the list of tenant 8");
    auto unknown = question(list, {good}, mac);
    unknown.kind = static_cast<ipc::MacKind>(99);
    refused(unknown, "of a kind that this program does not know");
    unknown = question(list, {good}, mac);
    unknown.key_form = static_cast<ipc::MacKeyForm>(99);
    refused(unknown, "of a kind that this program does not know");

    Keys none{fail(FailureKind::not_found, "no root key here")};
    const auto answer = none.check_mac(question(list, {good}, mac));
    CHECK_FALSE(answer.right);
    CHECK(answer.why == "no root key here");
}

// A webhook's secret that was leaked and replaced must not come back with an old row.
TEST_CASE("a signing key that was put back checks nothing", "[runner]") {
    Keys keys = loaded_keys();
    const auto old = sealed(keys, "signing_key", "leaked");
    const auto old_list = list_of(keys, {old});
    const std::string forged = hmac_sha256("leaked", "id.time.body");
    REQUIRE(keys.check_mac(question(old_list, {old}, forged)).right);

    auto latest = sealed(keys, "signing_key", "new");
    const auto list = list_of(keys, {latest}, old_list);
    const std::string right = hmac_sha256("new", "id.time.body");
    REQUIRE(keys.check_mac(question(list, {latest}, right)).right);

    const auto refused = [&](const ipc::CheckMac& check, const std::string& why) {
        const auto answer = keys.check_mac(check);
        CHECK_FALSE(answer.right);
        CHECK_THAT(answer.why, Catch::Contains(why));
    };
    refused(question(old_list, {old}, forged), "the secrets of tenant 7 are an old copy");
    refused(question(list, {old}, forged), "'signing_key' is not on the list of tenant 7");
    auto mixed = list;
    mixed.entries = old_list.entries;
    refused(question(mixed, {old}, forged), "one was changed, taken away or put back past Berth");
    auto none = question(list, {old}, forged);
    none.manifests.clear();
    refused(none, "'signing_key' is not on the list of tenant 7");
    CHECK(keys.check_mac(question(list, {latest}, right)).right);  // the control
}
