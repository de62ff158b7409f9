// A consent that was given and cannot be stored at that moment: nobody else has its tokens.
#include "daemon/oauth.h"
#include "store/connections.h"
#include "store/oauth_tokens.h"
#include "tests/oauth/played.h"

using namespace berth;
using namespace berth::test;

namespace {

// One berthd, as far as it connects.
struct Connecting {
    Connecting(KeyHouse& house, const Clock& clock)
        : store{*house.daemon->store, house.loop},
          keys{store, house.daemon->link, clock},
          tokens{{house.loop, clock, store, keys, jobs, kinds, {}}},
          oauth{{house.loop, clock, store, keys, house.daemon->link, jobs, tokens, kinds, {}}} {}

    const ConnectorKind kind = kind_of(AuthMethod::oauth2_client_credentials);
    const KindLookup kinds = [this](std::string_view) { return &kind; };
    PlayedJobs jobs;
    ShakyStore store;
    Keys keys;
    Tokens tokens;
    OAuth oauth;
};

struct House {
    House() {
        must(keys.store(
            0, {{"client_id", "the-client"}, {"client_secret", "the-secret-of-the-client"}}));
        berthd.emplace(keys, clock);
        berthd->oauth.connect_client(
            {"uid 0"}, {keys.integration, keys.tenants[0], "crm"},
            [this](Result<Connection> connected) { told = std::move(connected); });
        run_until(keys.loop, [&] { return !berthd->jobs.asked.empty(); });
        // The disk is full when the provider answers.
        berthd->store.refuses_changes = true;
        auto asked = berthd->jobs.take_first();
        answer = answer_to(keys, asked.job, 7, OAuthVerdict::granted);
        asked.done(answer);
        run_until(keys.loop, [&] { return berthd->store.refused >= 2; });  // it tries again
        CHECK_FALSE(told);
        CHECK(berthd->jobs.settled_jobs.empty());
    }
    Connection connection() {
        return must(read_now(*keys.daemon->store, keys.loop, [&](Db& db) {
            return look_at_connection(db, {keys.integration, keys.tenants[0]}, "crm");
        }));
    }
    bool has_token() {
        return must(read_now(*keys.daemon->store, keys.loop,
                             [id = connection().id](Db& db) -> Result<bool> {
                                 return token_of(db, id).has_value();
                             }));
    }
    void make_room() { berthd->store.refuses_changes = false; }
    void wait_settled() {
        run_until(keys.loop, [&] { return !berthd->jobs.settled_jobs.empty(); });
        CHECK(berthd->jobs.settled_jobs == std::vector<std::uint64_t>{7});
    }

    KeyHouse keys{1};
    SetClock clock;
    std::optional<Connecting> berthd;
    JobAnswer answer;
    std::optional<Result<Connection>> told;
};

}  // namespace

TEST_CASE("a consent that comes while the disk is full is kept when there is room", "[oauth]") {
    House house;
    CHECK_FALSE(house.has_token());
    house.make_room();
    run_until(house.keys.loop, [&] { return house.told.has_value(); });
    CHECK(must(*house.told).status == ConnectionStatus::connected);
    house.wait_settled();
    CHECK(house.has_token());
    CHECK_THAT(house.connection().fields, Catch::VectorContains(std::string{"access_token"}));
}

TEST_CASE("who waits for a full disk is told so, and the consent is kept all the same", "[oauth]") {
    House house;
    run_until(house.keys.loop, [&] { return house.told.has_value(); });
    CHECK_FAILS(*house.told, FailureKind::unavailable,
                "the consent is given, and cannot be kept yet: the disk of the store is full");
    CHECK(house.berthd->jobs.settled_jobs.empty());
    house.clock.time += std::chrono::hours{24};  // however long it takes
    house.make_room();
    house.wait_settled();
    CHECK(house.has_token());
}

TEST_CASE("a consent that is not kept when berthd ends is kept by the next one", "[oauth]") {
    House house;
    house.berthd.reset();
    house.clock.time += std::chrono::hours{23};  // the host was down
    house.berthd.emplace(house.keys, house.clock);
    house.berthd->jobs.takes.at("authorize")(house.connection().id, house.answer);
    house.wait_settled();
    CHECK(house.has_token());
    CHECK_FALSE(house.told);
}
