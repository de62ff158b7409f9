// S2: no secret opens in the place of another, of all ordered pairs of 400; S3 and S5 with
// figures. BERTH_CORPUS=full makes the full counts of reliability.md, else a part of them.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "tests/support/seed.h"
#include "vault/keeper.h"
#include "vault/open.h"
#include "vault/seal.h"

using namespace berth;
using namespace berth::vault;

namespace {

bool full() { return std::getenv("BERTH_CORPUS") != nullptr; }

const std::string kInstall(16, 'i');

struct Sealed {
    Identity identity;
    const DataKey* key;
    std::string envelope;
};

Result<Secret> opened(const Sealed& place, std::string_view envelope) {
    return vault_open::open(place.key->bytes, place.key->id, Purpose::secret, place.identity,
                            envelope);
}

// Four tenants with a data key each, and one integration, each with 4 connectors, 5 fields, 4
// versions: 400.
struct World {
    World() {
        for (std::int64_t i = 0; i < 5; ++i) {
            const Scope scope{i == 4 ? ScopeKind::integration : ScopeKind::tenant, i == 4 ? 1 : i};
            keys.push_back(make_data_key(static_cast<std::uint32_t>(i + 1), scope));
        }
        for (const DataKey& key : keys)
            for (std::int64_t connector = 1; connector <= 4; ++connector)
                for (const char* field : {"api_key", "api_key2", "token", "refresh", "x"})
                    for (std::uint64_t version = 1; version <= 4; ++version) {
                        Sealed made{
                            {kInstall, key.scope, ObjectKind::connector, connector, field, version},
                            &key,
                            {}};
                        made.envelope = seal(key.bytes, key.id, Purpose::secret, made.identity,
                                             "the same value everywhere")
                                            .value();
                        all.push_back(std::move(made));
                    }
    }
    std::vector<DataKey> keys;
    std::vector<Sealed> all;
};

}  // namespace

TEST_CASE("of 400 secrets none opens in the place of another", "[vault]") {
    const World world;
    REQUIRE(world.all.size() == 400);
    const std::size_t step = full() ? 1 : 7;
    std::size_t tried = 0, refused = 0;
    for (std::size_t to = 0; to < world.all.size(); ++to)
        for (std::size_t from = to % step; from < world.all.size(); from += step) {
            if (from == to) continue;
            const Sealed& place = world.all[to];
            // The envelope alone; then with the columns of its row, of which only the version
            // is taken from there.
            Sealed copied = place;
            copied.identity.version = world.all[from].identity.version;
            const bool same_place =
                copied.identity.scope == world.all[from].identity.scope &&
                copied.identity.object_id == world.all[from].identity.object_id &&
                copied.identity.field == world.all[from].identity.field;
            ++tried;
            refused += opened(place, world.all[from].envelope) ? 0U : 1U;
            // An older version of the same field is itself: the manifest finds that one.
            if (same_place) continue;
            ++tried;
            refused += opened(copied, world.all[from].envelope) ? 0U : 1U;
        }
    std::cout << "swapped envelopes: " << tried << ", refused " << refused << '\n';
    CHECK(refused == tried);
    if (full()) CHECK(tried >= 2 * 159'600 - 1'200);
    for (const Sealed& place : world.all)
        REQUIRE(opened(place, place.envelope));
}

TEST_CASE("no header byte changed to anything else is accepted, over 50 envelopes", "[vault]") {
    const World world;
    std::size_t tried = 0, accepted = 0;
    const std::size_t step = full() ? 1 : 25;
    for (std::size_t i = 0; i < 50; ++i) {
        const Sealed& place = world.all[i * 8];
        std::string envelope = place.envelope;
        for (std::size_t at = 0; at < kHeaderBytes; ++at) {
            const char right = envelope[at];
            for (int other = static_cast<int>(1 + i % step); other < 256;
                 other += static_cast<int>(step)) {
                envelope[at] = static_cast<char>(right ^ other);
                ++tried;
                accepted += opened(place, envelope) ? 1U : 0U;
            }
            envelope[at] = right;
        }
        REQUIRE(opened(place, envelope));
    }
    std::cout << "header bytes changed: " << tried << ", accepted " << accepted << '\n';
    CHECK(accepted == 0);
    if (full()) CHECK(tried == 50 * kHeaderBytes * 255);
}

TEST_CASE("no damaged envelope is accepted", "[vault]") {
    auto random = test::seeded_random("damaged envelopes");
    const World world;
    const std::size_t count = full() ? 1'000'000 : 20'000;
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const Sealed& place = world.all[test::below(random, world.all.size())];
        std::string envelope = place.envelope;
        const auto how = test::below(random, 10);
        if (how == 0) {
            envelope.resize(test::below(random, envelope.size()));
        } else if (how == 1) {
            envelope += test::random_text(random, 1 + test::below(random, 300), "ab");
        } else {
            for (std::size_t bits = how < 8 ? 1 : how; bits > 0; --bits) {
                const auto bit = test::below(random, envelope.size() * 8);
                envelope[bit / 8] = static_cast<char>(envelope[bit / 8] ^ 1 << bit % 8);
            }
            if (envelope == place.envelope) continue;  // the same bit twice
        }
        accepted += opened(place, envelope) ? 1U : 0U;
    }
    std::cout << "damaged envelopes: " << count << ", accepted " << accepted << '\n';
    CHECK(accepted == 0);
}
