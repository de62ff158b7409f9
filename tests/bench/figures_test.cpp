// Figures, goals and measurements apart.
#include "bench/figures.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "bench/apart.h"

using namespace berth;
using namespace berth::bench;
using nlohmann::json;

namespace {

Samples samples_of(std::initializer_list<int> micros) {
    Samples samples;
    for (const int us : micros)
        samples.add(std::chrono::microseconds{us});
    return samples;
}

}  // namespace

TEST_CASE("a goal that is missed is not met, on either side", "[bench]") {
    const auto wanted = GENERATE(Wanted::at_most, Wanted::at_least);
    Figures figures{"test"};
    figures.goal("just so", wanted, 2, 2);
    CHECK(figures.print_goals());
    figures.goal("beside it", wanted, 2, wanted == Wanted::at_most ? 2.01 : 1.99);
    CHECK_FALSE(figures.print_goals());
}

TEST_CASE("a goal that was not measured is left out", "[bench]") {
    Figures figures{"test"};
    figures.goal("without its reference", Wanted::at_least, 8, 0);
    CHECK(figures.print_goals());
}

TEST_CASE("figures and goals are written as they are named", "[bench]") {
    const TempDir folder{"figures"};
    const auto path = folder.path() / "figures.json";
    Figures figures{"test"};
    figures.add("starts", samples_of({30, 10, 20}));
    figures.add("picks", 100, "of 100");
    figures.goal("picks", Wanted::at_most, 99, figures.value("picks"));
    figures.write(path.string());

    const json written = json::parse(std::ifstream{path});
    CHECK(written["bench"] == "test");
    CHECK(written["figures"]["starts, p50"]["value"] == 20);
    CHECK(written["figures"]["starts, n"]["value"] == 3);
    CHECK(written["figures"]["picks"]["unit"] == "of 100");
    REQUIRE(written["goals"].size() == 1);
    CHECK(written["goals"][0]["wanted"] == "at most");
    CHECK(written["goals"][0]["met"] == false);
}

TEST_CASE("samples of several rounds are one", "[bench]") {
    Samples all = samples_of({10, 20});
    all.add(samples_of({30}));
    CHECK(all.size() == 3);
    CHECK(all.percentile(1) == 30);
}

TEST_CASE("what a measurement apart allocates is not in this process", "[bench]") {
    const auto before = resident_bytes();
    const auto taken = apart([]() -> json {
                           const auto small = resident_bytes();
                           const std::string large(64 << 20, 'x');
                           return resident_bytes() - small + (large.back() == 'y');
                       }).get<std::uint64_t>();
    CHECK(taken > (60 << 20));
    CHECK(resident_bytes() < before + (32 << 20));
}

TEST_CASE("a measurement apart that fails says why, and one that dies is noticed", "[bench]") {
    CHECK_THROWS_WITH(apart([]() -> json { throw std::runtime_error{"the disk is away"}; }),
                      "the disk is away");
    CHECK_THROWS_WITH(apart([]() -> json { ::_exit(3); }), "a measurement ended without an answer");
}
