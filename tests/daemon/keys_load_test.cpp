// The keys are handed to the runner by whoever finds that it lacks one: when it has come, when a
// run could not start, and by a rotation that has just stored one.
#include "tests/daemon/key_house.h"

using namespace berth;
using namespace berth::test;

namespace {

std::string trouble(const std::optional<Failure>& failure) {
    return failure ? failure->message : std::string{};
}

}  // namespace

TEST_CASE("keys are loaded one time after the other, and nobody who wants it goes unheard",
          "[rotation]") {
    KeyHouse house{3};
    house.fill();
    int asked = 0, heard = 0;
    const auto load = [&] {
        ++asked;
        house.daemon->keys.load([&](Result<void> loaded) {
            CHECK(trouble(loaded ? std::nullopt : std::optional{loaded.error()}) == "");
            ++heard;
        });
    };
    const auto all_heard = [&] { return heard == asked; };
    load();
    load();
    run_until(house.loop, all_heard);
    must(house.rotate({RotationKind::kek, {}, {}}));
    do {
        load();
    } while (house.rotating());
    run_until(house.loop, all_heard);
    CHECK(trouble(house.open_all()) == "");
    CHECK(house.view().rotation->left == 0);
    // One that the end of another asks for.
    const int before = asked;
    house.daemon->keys.load([&](const Result<void>&) { load(); });
    run_until(house.loop, [&] { return asked > before && all_heard(); });
    CHECK(house.daemon->link.ready());
}
