// S7 in one process: rotation of keys under many secrets that are opened and written all the
// while, and what it costs. BERTH_ROTATION_SECRETS and BERTH_RECORDS make the counts of
// reliability.md.
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "store/rotations.h"
#include "tests/daemon/key_house.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::test;

namespace {

int wanted(const char* variable, int otherwise) {
    const char* given = std::getenv(variable);
    return given != nullptr ? std::atoi(given) : otherwise;
}

std::string trouble(const std::optional<Failure>& failure) {
    return failure ? failure->message : std::string{};
}

}  // namespace

// The real programs are killed in tests/e2e/rotation_kills_test.cpp.
TEST_CASE("secrets are opened and written all the while", "[rotation]") {
    constexpr int kFields = 15;
    const int tenants = wanted("BERTH_ROTATION_SECRETS", 300) / kFields;
    KeyHouse house{tenants, kFields};
    house.fill();
    house.runner.use_roots('s', {'r'});  // another one to rotate to
    run_until(house.loop, [&] { return !house.daemon->link.ready(); });
    house.ready();
    std::int64_t opened = 0;
    auto random = seeded_random("secrets are opened all the while");
    const auto start = std::chrono::steady_clock::now();
    for (const auto kind :
         {RotationKind::root, RotationKind::kek, RotationKind::data, RotationKind::data}) {
        must(house.rotate({kind, {}, {}}));
        do {
            const auto tenant = below(random, house.tenants.size());
            REQUIRE(trouble(house.open(tenant)) == "");
            ++opened;
            if (below(random, 4) != 0) continue;
            const auto field = fmt::format("field{}", below(random, kFields));
            const auto value = fmt::format("written {}", opened);
            must(house.store(tenant, {{field, value}}));
            house.values[tenant][field] = value;
        } while (house.rotating());
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    CHECK(trouble(house.open_all()).empty());
    std::cout << fmt::format(
        "opened {} times {} secrets during four rotations of {} in {:.1f} s: {:.0f} secrets a "
        "second, 0 failed, {} read again\n",
        opened, kFields, tenants * kFields, took.count(),
        static_cast<double>(opened * kFields) / took.count(), house.overtaken);
    CHECK(opened > 0);
}

// S7: at most ten times the reading of them, which is what a run does: from the store, and
// opened. Time is looked at only when it was asked for: others may use the machine.
TEST_CASE("sealing all records anew takes a few times as long as reading them", "[rotation]") {
    constexpr int kFields = 50;
    const int records = wanted("BERTH_RECORDS", 500);
    KeyHouse house{records / kFields, kFields};
    house.fill();
    const auto timed = [](const auto& what) {
        const auto start = std::chrono::steady_clock::now();
        what();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const double reading = timed([&] { CHECK(trouble(house.open_all()).empty()); });
    const double sealing = timed([&] {
        must(house.rotate({RotationKind::data, {}, {}}));
        // Not by view(): counting what is left would cost as much as the rotation.
        run_until(
            house.loop,
            [&] {
                return must(read_now(*house.daemon->store, house.loop, [](Db& db) {
                    return last_rotation(db)->finished.has_value();
                }));
            },
            std::chrono::minutes{30});
    });
    std::cout << fmt::format(
        "{} records: read in {:.2f} s, sealed anew in {:.2f} s, {:.1f} times\n", records, reading,
        sealing, sealing / reading);
    CHECK(trouble(house.open_all()).empty());
    CHECK(house.view().retired_data_keys == 0);
    CHECK(house.view().rotation->left == 0);
    if (std::getenv("BERTH_RECORDS") != nullptr) CHECK(sealing <= 10 * reading);
}
