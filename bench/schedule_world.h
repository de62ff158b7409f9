// A store with as many schedules or waiting triggers as wanted, and the loop to ask it
// with. Filled by SQL: through the API a million would take longer than their measurement.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "model/ids.h"
#include "store/store.h"

namespace berth::bench {

struct Population {
    std::int64_t tenants = 0;     // ids from 1 on
    std::int64_t scheduled = 0;   // the first of them, due in a day at the earliest
    std::int64_t waiting = 0;     // the first of them, with a trigger each
    IntegrationId integration{};  // whose tenants they are; none: one is made, with a release
};

// Writes them to the store in `dir`, which is made where there is none; nobody may have
// it open. In a process of its own.
void populate(const std::filesystem::path& dir, const Population& population);

// The next `count` tenants from `first` on are due at `due`, each put off by its own part
// of `jitter`.
struct Arming {
    std::int64_t first = 1;
    std::int64_t count = 0;
    Time due{};  // a whole minute
    std::chrono::seconds jitter{0};
};
void arm(Db& db, const Arming& arming);

template <typename T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error{result.error().message};
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Runs the loop until `ask`'s callback was called, and hands back what it was given.
template <typename T, typename Ask>
T answer(Loop& loop, Ask ask) {
    std::optional<Result<T>> answer;
    ask([&](Result<T> given) {
        answer.emplace(std::move(given));
        loop.stop();
    });
    Timer deadline{loop, [&] { loop.stop(); }};
    deadline.start(std::chrono::minutes{5});
    while (!answer && deadline.armed())
        loop.run();
    if (!answer) throw std::runtime_error{"the store did not answer"};
    return must(std::move(*answer));
}

template <typename Op>
auto write(Store& store, Loop& loop, Op op) {
    using T = typename Answer<Op>::value_type;
    return answer<T>(loop, [&](auto done) { store.write(std::move(op), std::move(done)); });
}

std::uint64_t bytes_below(const std::filesystem::path& dir);

}  // namespace berth::bench
