// What deliveries are checked with is read once, and what cannot be used is not read again
// and again because somebody knows an address.
#include "daemon/hook_keys.h"

#include <catch2/catch.hpp>

#include "store/connections.h"
#include "store/connectors.h"
#include "store/integrations.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

struct SteppedClock final : Clock {
    Time now() const override { return kNow; }
    SteadyTime steady() const override { return steady_time; }
    SteadyTime steady_time{kNow.time_since_epoch()};
};

// An address of a connection without a secret: to be read, and found empty.
struct World {
    World() {
        const Tenant acme = must(write_now(*store, loop, [](Db& db) -> Result<Tenant> {
            const Tenant made = add_world(db);
            must(attach_connector(db, kBy, made.integration_id, {"partner", false}));
            must(open_connection(db, kBy, {made.integration_id, made.id}, "partner"));
            return made;
        }));
        owner.tenant_id = acme.id;
        owner.integration_id = acme.integration_id;
        owner.connector_name = "partner";
        owner.connector_id =
            must(read_now(*store, loop, [](Db& db) { return get_connector(db, "partner"); })).id;
    }
    // Empty when they could be had, else why not.
    std::string get(const std::string& stamp = "1") {
        Wait<HookSecrets> wait{loop};
        keys.get(owner, stamp, "key", wait.callback());
        const auto got = wait.get();
        return got ? std::string{} : got.error().message;
    }

    TempDir dir{"berth-hook-keys"};
    Loop loop;
    SteppedClock clock;
    std::unique_ptr<Store> store = must(make_store(dir.path() / "store", loop));
    HookKeys keys{*store, clock};
    HookOwner owner;
};

}  // namespace

TEST_CASE("a secret that cannot be used is not read at each delivery", "[daemon]") {
    World w;
    CHECK(w.get() == "");
    const Failure why{FailureKind::unavailable, "cannot use the secret 'key'", {}};
    w.keys.rest(w.owner, "1", why);
    CHECK(w.get() == why.message);
    w.keys.forget(w.owner);  // by a delivery that had the old one in its hand
    CHECK(w.get() == why.message);
    CHECK(w.get("2") == "");  // it was changed: read at once
    w.keys.rest(w.owner, "2", why);
    w.clock.steady_time += 4999ms;
    CHECK(w.get("2") == why.message);
    w.clock.steady_time += 1ms;
    CHECK(w.get("2") == "");
}
