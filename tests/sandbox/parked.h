// Runs in parked sandboxes, for tests of the warm pool.
#pragma once

#include <catch2/catch.hpp>
#include <vector>

#include "tests/sandbox/sandbox.h"

namespace berth::sandbox_test {

// Parked from the start are those with network egress.
inline ipc::BuildRequest egress(const Launcher& launcher) {
    ipc::BuildRequest request = launcher.request();
    request.kind.network = ipc::Network::egress;
    return request;
}

// The whole life of a run in a parked sandbox.
inline Ended run_parked(Launcher& launcher, Sandbox& parked, const Run& run) {
    launcher.take(parked, launcher.request().assignment);
    const auto failed = parked.start(run);
    CHECK(launcher.await_attached().step == ipc::Step::none);
    parked.end_input();
    Ended ended = parked.finish();
    ended.failed = failed;
    return ended;
}

inline std::vector<Sandbox> await_parked(Launcher& launcher, int count) {
    std::vector<Sandbox> all;
    for (int i = 0; i < count; ++i)
        all.push_back(launcher.await_parked());
    return all;
}

}  // namespace berth::sandbox_test
