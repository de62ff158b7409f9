// When a failed run is tried again.
#include "scheduler/retry.h"

#include <catch2/catch.hpp>

#include "tests/support/seed.h"

using namespace berth;
using namespace std::chrono_literals;

TEST_CASE("nothing is tried again unless somebody asked for it", "[scheduler]") {
    CHECK_FALSE(retry_after({}, RunState::failed_integration, 1, 0));
}

TEST_CASE("what is cancelled, done or can only fail again is never retried", "[scheduler]") {
    const RetryRule rule{.retries = 5};
    for (const RunState state : {RunState::succeeded, RunState::cancelled, RunState::failed_refresh,
                                 RunState::failed_metadata})
        CHECK_FALSE(retry_after(rule, state, 1, 0));
    for (const RunState state :
         {RunState::failed_integration, RunState::failed_timeout, RunState::failed_platform})
        CHECK(retry_after(rule, state, 1, 0));
}

TEST_CASE("delays double up to the longest, and at most half of them is chance", "[scheduler]") {
    const RetryRule rule{.retries = 6, .first = 10s, .longest = 60s};
    const auto state = RunState::failed_integration;
    const std::vector<std::chrono::microseconds> whole{10s, 20s, 40s, 60s, 60s, 60s};
    auto random = test::seeded_random("retry");
    for (std::int64_t failures = 1; failures <= 6; ++failures) {
        const auto most = whole[static_cast<std::size_t>(failures - 1)];
        CHECK(*retry_after(rule, state, failures, 0) == most);
        for (int i = 0; i < 200; ++i) {
            const auto delay = *retry_after(rule, state, failures, random());
            CHECK(delay <= most);
            CHECK(delay >= most / 2);
        }
    }
    CHECK_FALSE(retry_after(rule, state, 7, 0));
}

TEST_CASE("a rule without delays retries at once", "[scheduler]") {
    CHECK(*retry_after({.retries = 1, .first = 0s, .longest = 0s}, RunState::failed_platform, 1,
                       12345) == 0us);
}
