// Time that is not what it was: zone data updated while Berth runs, and years in which
// a 32-bit clock has run out.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/file.h"
#include "daemon/schedule_book.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

struct World {
    explicit World(Zones zones = Zones{}) : texts{{}, std::move(zones)} {
        Tenant tenant = add_world(db);
        tenant.paused = false;
        acme = must(update_tenant(db, kBy, tenant)).id;
    }
    void set(const std::string& text, const std::string& zone) {
        ScheduleSettings settings;
        settings.text = text;
        settings.zone = zone;
        must(put_schedule(db, kBy, acme, settings, /*own=*/true));
    }
    ScheduleStore::Look look(Time now) { return look_at_schedules(db, texts, now, 500); }

    TestDb db = make_db();
    ScheduleTexts texts;
    TenantId acme;
};

Time at(const char* text) { return *parse_rfc3339(text); }

// As a package does it: a new file in the place of the old one.
void put_zone(const fs::path& folder, const char* rules_of) {
    fs::create_directories(folder / "Test");
    const auto bytes = must(read_file(fs::path{"/usr/share/zoneinfo"} / rules_of, 1 << 20));
    write_file_atomically(folder / "Test" / "Town", bytes, 0644);
    // Two changes can come within one tick of a file system's clock; an hour cannot.
    static int updates = 0;
    fs::last_write_time(folder, fs::file_time_type::clock::now() + ++updates * 1h);
}

}  // namespace

TEST_CASE("zone data that was updated moves what is armed by it", "[schedule]") {
    const TempDir folder{"berth-zones"};
    put_zone(folder.path(), "Europe/Berlin");  // an hour ahead of UTC in January
    World w{Zones{folder.path()}};
    w.set("30 9 * * *", "Test/Town");
    CHECK(w.look(at("2027-01-15T08:00:00Z")).next == at("2027-01-15T08:30:00Z"));
    // Nothing has changed: nothing is looked at.
    CHECK(w.look(at("2027-01-15T08:00:10Z")).seen == 0);

    put_zone(folder.path(), "Europe/London");  // the government has changed its mind
    const auto looked = w.look(at("2027-01-15T08:00:20Z"));
    CHECK(looked.seen == 1);
    CHECK(looked.fired == 0);
    CHECK(looked.next == at("2027-01-15T09:30:00Z"));
    CHECK(w.look(at("2027-01-15T08:30:00Z")).fired == 0);
    CHECK(w.look(at("2027-01-15T09:30:00Z")).fired == 1);
}

TEST_CASE("schedules fire in and after 2038", "[schedule]") {
    World w;
    w.set("0 3 * * *", "Europe/Berlin");
    CHECK(w.look(at("2038-01-19T00:00:00Z")).next == at("2038-01-19T02:00:00Z"));
    CHECK(w.look(at("2038-01-19T02:00:00Z")).fired == 1);
    // Across the second in which 32 bits are full, and through a summer beyond it.
    CHECK(w.look(at("2038-01-19T03:14:08Z")).next == at("2038-01-20T02:00:00Z"));
    CHECK(w.look(at("2038-01-20T02:00:00Z")).fired == 1);
    w.look(at("2041-07-01T00:30:00Z"));
    CHECK(w.look(at("2041-07-01T01:00:00Z")).fired == 1);
    // A clock that was there by mistake, and is right again.
    CHECK(w.look(at("2027-01-15T08:00:00Z")).fired == 0);
}
