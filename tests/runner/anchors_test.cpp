// What the runner remembers of the store: kept over a restart, and refused when damaged.
#include "sandbox/runner/anchors.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "base/file.h"

using namespace berth;
using namespace berth::runner;

namespace {

const ipc::Scope kTenant{ipc::ScopeKind::tenant, 7};
const ipc::Scope kIntegration{ipc::ScopeKind::integration, 7};
const std::string kInstall(16, 'i');

Anchors kept_in(const TempDir& dir) {
    auto anchors = Anchors::load(dir.path());
    REQUIRE(anchors);
    anchors->belong_to(kInstall);
    return std::move(*anchors);
}

}  // namespace

TEST_CASE("counters are kept for the next runner, and never lowered", "[runner]") {
    const TempDir dir{"anchors"};
    Anchors first = kept_in(dir);
    CHECK_FALSE(first.counter(kTenant));
    first.raise(kTenant, 5);
    first.raise(kTenant, 4);
    first.raise(kIntegration, 1);
    CHECK(first.dirty());
    first.save();
    CHECK_FALSE(first.dirty());
    first.raise(kTenant, 5);
    CHECK_FALSE(first.dirty());

    const Anchors next = kept_in(dir);
    CHECK(next.counter(kTenant) == 5U);
    CHECK(next.counter(kIntegration) == 1U);
    CHECK_FALSE(next.counter({ipc::ScopeKind::tenant, 8}));
}

TEST_CASE("another installation begins anew, and takes nothing from the first", "[runner]") {
    const TempDir dir{"anchors"};
    Anchors first = kept_in(dir);
    first.raise(kTenant, 5);
    first.save();
    Anchors other = kept_in(dir);
    other.belong_to(std::string(16, 'o'));
    CHECK_FALSE(other.counter(kTenant));
    other.raise(kTenant, 1);
    other.raise(kIntegration, 9);
    other.forget_all();
    other.raise(kTenant, 2);
    other.save();
    // An old copy of the first one's store is still told.
    Anchors again = kept_in(dir);
    CHECK(again.counter(kTenant) == 5U);
    CHECK_FALSE(again.counter(kIntegration));
    again.belong_to(std::string(16, 'o'));
    CHECK(again.counter(kTenant) == 2U);
}

TEST_CASE("a damaged file of counters is refused with the cure", "[runner]") {
    const TempDir dir{"anchors"};
    Anchors first = kept_in(dir);
    first.raise(kTenant, 5);
    first.save();
    const auto file = dir.path() / "anchors";
    const std::string good = read_file(file, 1000).value();
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = bad[at] == '1' ? '2' : '1';
        std::ofstream{file} << bad;
        const auto loaded = Anchors::load(dir.path());
        INFO(bad);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().kind == FailureKind::invalid);
        CHECK_THAT(loaded.error().message, Catch::Contains("berth vault accept-restore"));
    }
    std::ofstream{file} << good.substr(0, good.size() / 2);
    CHECK_FALSE(Anchors::load(dir.path()));
    std::ofstream{file} << good;
    CHECK(Anchors::load(dir.path()));
}
