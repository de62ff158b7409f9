// Room kept for ends: released when the disk is full, used by them alone, made again.
#include "store/reserve.h"

#include <set>

#include "model/limits.h"
#include "store/settings.h"
#include "tests/store/small_disk.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

class MovingClock final : public Clock {
public:
    Time now() const override { return kNow; }
    SteadyTime steady() const override { return SteadyTime{passed}; }
    std::chrono::microseconds passed = 1h;
};

// A change, or an end, that needs some room.
struct Note {
    std::string name;
    void operator()(Db& db) const { set_setting(db, kBy, name, std::string(50'000, 'x')); }
};
Result<void> change(Store& store, Loop& loop, const std::string& name) {
    return write_now(store, loop, Note{name});
}
Result<void> finish(Store& store, Loop& loop, const std::string& name) {
    Wait<void> wait{loop};
    store.finish(Note{name}, wait.callback());
    return wait.get();
}

struct Small {
    TempDir dir{"berth-reserve"};
    SmallDisk disk{dir.path(), "size=16m"};
    MovingClock clock;
};

#define NEEDS_SMALL_DISK(small)     \
    REQUIRE((small).disk.usable()); \
    if (!(small).disk.mounted()) return

}  // namespace

TEST_CASE("the reserve is a sixteenth of a small disk, and gone when it is released", "[store]") {
    Small small;
    NEEDS_SMALL_DISK(small);
    Reserve reserve{small.dir.path(), small.clock};
    CHECK_FALSE(reserve.released());
    CHECK(std::filesystem::file_size(small.dir.path() / "reserve") == limits::MiB);

    reserve.release();
    CHECK(reserve.released());
    CHECK_FALSE(std::filesystem::exists(small.dir.path() / "reserve"));
    CHECK(reserve.remake());
    CHECK_FALSE(reserve.released());
}

TEST_CASE("the reserve is made again only when there is room beside it", "[store]") {
    Small small;
    NEEDS_SMALL_DISK(small);
    Reserve reserve{small.dir.path(), small.clock};
    small.disk.fill();
    reserve.release();
    // There is room for itself now, and for nothing else.
    CHECK_FALSE(reserve.remake());
    small.disk.make_room();
    CHECK_FALSE(reserve.remake());  // the disk was asked just now
    small.clock.passed += 250ms;
    CHECK(reserve.remake());
}

TEST_CASE("a disk that is full at the start keeps no reserve and accepts nothing new", "[store]") {
    Small small;
    NEEDS_SMALL_DISK(small);
    small.disk.fill();
    Reserve reserve{small.dir.path(), small.clock};
    CHECK(reserve.released());
}

TEST_CASE("on a full disk what is new is refused and what ends is recorded", "[store]") {
    Small small;
    NEEDS_SMALL_DISK(small);
    Loop loop;
    const auto store = must(Store::open(small.dir.path(), loop, small.clock));
    must(change(*store, loop, "before"));
    CHECK_FALSE(store->full());
    small.disk.fill();

    std::vector<std::string> kept{"before"};
    const auto again = [](int times) { return fmt::format("change {}", times); };
    Result<void> refused;
    for (int i = 0; i < 200 && refused; ++i) {
        refused = change(*store, loop, again(i));
        if (refused) kept.push_back(again(i));
    }
    CHECK_FAILS(
        refused, FailureKind::unavailable,
        "the store's disk is full, so nothing new is accepted; make room, and it goes on by "
        "itself");
    CHECK(store->full());
    for (int i = 0; i < 5; ++i) {
        kept.push_back(fmt::format("end {}", i));
        CHECK(finish(*store, loop, kept.back()));
        CHECK_FALSE(change(*store, loop, "new"));
    }

    small.disk.make_room();
    small.clock.passed += 250ms;
    kept.push_back("after");
    must(change(*store, loop, "after"));
    CHECK_FALSE(store->full());
    CHECK(std::filesystem::exists(small.dir.path() / "reserve"));
    std::vector<std::string> found = must(read_now(*store, loop, [](Db& db) {
        std::vector<std::string> names;
        for (const Row& row : db.query("select name from settings order by rowid"))
            names.push_back(row.text(0));
        return names;
    }));
    CHECK(std::set<std::string>{found.begin(), found.end()} ==
          std::set<std::string>{kept.begin(), kept.end()});
}

TEST_CASE("whoever else finds the disk full releases the reserve", "[store]") {
    Small small;
    NEEDS_SMALL_DISK(small);
    Loop loop;
    const auto store = must(Store::open(small.dir.path(), loop, small.clock));
    store->notice({StoreError::Kind::busy, "not this"});
    CHECK_FALSE(store->full());
    store->notice({StoreError::Kind::full, "the logs"});
    CHECK(store->full());
    must(change(*store, loop, "there is room"));  // found out when it is asked
    CHECK_FALSE(store->full());
}
