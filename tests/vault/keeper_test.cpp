// The keeper: keys are made, wrapped, loaded again, and refused when foreign.
#include "vault/keeper.h"

#include <catch2/catch.hpp>

#include "vault/open.h"
#include "vault/root_key.h"

using namespace berth;
using namespace berth::vault;
using namespace berth::vault_open;

namespace {

const std::string kInstall(16, 'i');

RootKey root(char fill) { return make_root_key(Secret{std::string(32, fill)}); }

FieldRef field(std::int64_t tenant, std::string name = "api_key") {
    return {{ScopeKind::tenant, tenant}, 3, std::move(name), 1};
}

template <typename T>
void refused(const Result<T>& result, FailureKind kind, const std::string& message) {
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == kind);
    CHECK_THAT(result.error().message, Catch::Contains(message));
}

}  // namespace

TEST_CASE("a new installation gets its first key, and opens with it ever after", "[vault]") {
    Keeper first{root('r')};
    const auto fresh = first.load(kInstall, {});
    REQUIRE(fresh);
    REQUIRE(fresh->size() == 1);
    CHECK(fresh->front().id == 1);
    const auto key = first.new_data_key({ScopeKind::tenant, 7}, 42);
    REQUIRE(key);
    CHECK(key->key.id == 42);
    CHECK(key->kek_term == 1);
    const auto envelope = first.seal(key->key, field(7), Secret{"a token"});
    REQUIRE(envelope);

    Keeper later{root('r')};
    const auto none = later.load(kInstall, *fresh);
    REQUIRE(none);
    CHECK(none->empty());
    const auto back = later.open(key->key, field(7), *envelope);
    REQUIRE(back);
    CHECK(back->reveal() == "a token");
}

TEST_CASE("nothing is done before the keys are loaded", "[vault]") {
    Keeper keeper{root('r')};
    const std::string why = "not loaded yet";
    refused(keeper.new_data_key({ScopeKind::tenant, 7}, 1), FailureKind::unavailable, why);
    refused(keeper.seal({1, ""}, field(7), Secret{"x"}), FailureKind::unavailable, why);
    refused(keeper.open({1, ""}, field(7), ""), FailureKind::unavailable, why);
}

TEST_CASE("keys of another root key or installation are refused with the cure", "[vault]") {
    Keeper ours{root('r')};
    const auto keks = ours.load(kInstall, {}).value();

    Keeper other{root('o')};
    refused(other.load(kInstall, keks), FailureKind::unavailable,
            "give the runner the root key this installation was made with");
    refused(ours.load(std::string(16, 'j'), keks), FailureKind::conflict,
            "cannot open key-encryption key '1'");
    refused(ours.load("short", {}), FailureKind::invalid, "16 bytes");
    auto renamed = keks;
    renamed[0].id = 2;
    refused(ours.load(kInstall, renamed), FailureKind::conflict, "key-encryption key '2'");
    // What was loaded before is still there.
    CHECK(ours.new_data_key({ScopeKind::tenant, 7}, 1));
}

TEST_CASE("a data key opens only under its own scope and id", "[vault]") {
    Keeper keeper{root('r')};
    (void)keeper.load(kInstall, {}).value();
    const auto seven = keeper.new_data_key({ScopeKind::tenant, 7}, 1)->key;
    const auto eight = keeper.new_data_key({ScopeKind::tenant, 8}, 2)->key;
    const auto envelope = keeper.seal(seven, field(7), Secret{"a token"}).value();

    refused(keeper.open(seven, field(8), envelope), FailureKind::conflict, "data key '1'");
    refused(keeper.open(eight, field(8), envelope), FailureKind::unavailable, "secret 'api_key'");
    refused(keeper.open(seven, field(7, "other"), envelope), FailureKind::conflict,
            "cannot open secret 'other': tampered");
    auto renamed = seven;
    renamed.id = 2;
    refused(keeper.open(renamed, field(7), envelope), FailureKind::conflict, "data key '2'");
    auto global = field(7);
    global.scope.kind = ScopeKind::integration;
    refused(keeper.open(seven, global, envelope), FailureKind::conflict, "data key '1'");
    // A wrapped key is not a secret's envelope, nor the other way round.
    refused(keeper.open(seven, field(7), seven.envelope), FailureKind::conflict, "purpose");
    refused(keeper.open({1, envelope}, field(7), envelope), FailureKind::conflict, "purpose");
}

TEST_CASE("new data keys are wrapped by the newest term, old ones still open", "[vault]") {
    Keeper keeper{root('r')};
    auto keks = keeper.load(kInstall, {}).value();
    const auto old_key = keeper.new_data_key({ScopeKind::tenant, 7}, 1)->key;
    const auto envelope = keeper.seal(old_key, field(7), Secret{"a token"}).value();

    keks.push_back(wrap(root('r'), kInstall, make_kek(2)).value());
    REQUIRE(keeper.load(kInstall, keks));
    CHECK(keeper.new_data_key({ScopeKind::tenant, 7}, 2)->kek_term == 2);
    CHECK(keeper.open(old_key, field(7), envelope));

    REQUIRE(keeper.load(kInstall, {keks[1]}));
    refused(keeper.open(old_key, field(7), envelope), FailureKind::unavailable,
            "key-encryption key '1', which is not loaded; load the keys again");
}

TEST_CASE("a root key's id comes from the key and not the other way round", "[vault]") {
    CHECK(root('r').id == root('r').id);
    CHECK(root('r').id != root('s').id);
    CHECK(root('r').id.size() == kRootKeyIdBytes);
    CHECK(root('r').id.find("rr") == std::string::npos);
}
