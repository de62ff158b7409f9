// When the end of a script is known (sandbox.md T31): at once, however many end together.
#include <poll.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>
#include <vector>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

namespace {

constexpr std::size_t kAtOnce = 64;
// A supervisor that looks again only after a while is late by that while: nsjail's is a
// second. The kernel's own work for all of them is a few milliseconds, and as many times
// more as the machine is busy: then the scripts themselves end late.
Milliseconds far_too_late(Milliseconds until_last_end) {
    return Milliseconds{500} + 4 * until_last_end;
}

struct End {
    Clock::time_point real;      // of the script: its output ends with it
    Clock::time_point reported;  // by pid 1
};

}  // namespace

TEST_CASE("64 scripts that end at one instant are all reported without delay", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher{{.slots = kAtOnce + 8}};
    std::vector<Sandbox> all;
    Run cat;
    cat.argv = {"/bin/cat"};
    for (std::size_t i = 0; i < kAtOnce; ++i) {
        all.push_back(launcher.build());
        REQUIRE(all.back().reply.step == ipc::Step::none);
        REQUIRE_FALSE(all.back().start(cat));
    }
    std::vector<pollfd> watched;
    for (const Sandbox& one : all) {
        watched.push_back({one.output(), POLLIN, 0});
        watched.push_back({one.status.get(), POLLIN, 0});
    }
    std::vector<End> ends(kAtOnce);
    for (Sandbox& one : all)
        one.end_input();
    const auto begun = Clock::now();
    for (std::size_t left = watched.size(); left > 0;) {
        REQUIRE(::poll(watched.data(), watched.size(), 180'000) > 0);
        const auto now = Clock::now();
        for (std::size_t i = 0; i < watched.size(); ++i) {
            if (watched[i].revents == 0) continue;
            (i % 2 == 0 ? ends[i / 2].real : ends[i / 2].reported) = now;
            watched[i].fd = -1;
            --left;
        }
    }
    const Milliseconds whole = Clock::now() - begun;
    std::vector<Milliseconds> late;
    for (const End& end : ends)
        late.emplace_back(end.reported - end.real);
    std::ranges::sort(late);
    std::cout << kAtOnce << " ends at one instant: reported late by " << late[kAtOnce / 2].count()
              << " ms (p50), " << late[kAtOnce - 1].count() << " ms (the last); all within "
              << whole.count() << " ms\n";
    const auto last = std::ranges::max(ends, {}, &End::real).real;
    CHECK(late.back() < far_too_late(last - begun));
    for (Sandbox& one : all) {
        const Ended ended = one.finish();
        REQUIRE(ended.report);
        CHECK(ended.report->wait_status == 0);
    }
}
