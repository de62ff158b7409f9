// What the store's tests share. make_db() and make_store() choose the back end:
// the conformance tests know the seam only.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "store/db.h"
#include "store/keys.h"
#include "store/store.h"
#include "store/tenants.h"

namespace berth::test {

inline const Time kNow = time_from_micros(1'800'000'000'000'000);
inline const By kBy{"uid 0", kNow};

class FixedClock final : public Clock {
public:
    Time now() const override { return kNow; }
    SteadyTime steady() const override { return SteadyTime{kNow.time_since_epoch()}; }
};

// A database with the schema of this program, in a folder of its own.
struct TestDb {
    std::unique_ptr<TempDir> dir;
    std::unique_ptr<Db> db;
    operator Db&() { return *db; }
};
TestDb make_db();
// Another connection to the same data.
std::unique_ptr<Db> connect_again(const std::filesystem::path& dir);

Result<std::unique_ptr<Store>> make_store(const std::filesystem::path& dir, Loop& loop);

// The whole value, or the failure's message as a test failure.
template <typename T>
T must(Result<T> result) {
    if (!result) FAIL(result.error().message);
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

#define CHECK_FAILS(result, expected_kind, expected_message)                          \
    do {                                                                              \
        const auto& failed_result = (result);                                         \
        REQUIRE_FALSE(failed_result);                                                 \
        CHECK(failed_result.error().kind == (expected_kind));                         \
        CHECK_THAT(failed_result.error().message, Catch::Contains(expected_message)); \
    } while (false)

// Runs the loop until the answer is there; fails past the deadline.
template <typename T>
class Wait {
public:
    explicit Wait(Loop& loop) : loop_{loop} {}
    Callback<void(Result<T>)> callback() {
        return [this](Result<T> result) {
            answer_ = std::move(result);
            loop_.stop();
        };
    }
    Result<T> get() {
        if (!answer_) {
            Timer deadline{loop_, [this] { loop_.stop(); }};
            deadline.start(std::chrono::seconds{180});
            while (!answer_ && deadline.armed())
                loop_.run();
        }
        REQUIRE(answer_);
        return *std::move(answer_);
    }

private:
    Loop& loop_;
    std::optional<Result<T>> answer_;
};

template <typename Op>
Answer<Op> write_now(Store& store, Loop& loop, Op op) {
    Wait<typename Answer<Op>::value_type> wait{loop};
    store.write(std::move(op), wait.callback());
    return wait.get();
}
template <typename Op>
Answer<Op> read_now(Store& store, Loop& loop, Op op) {
    Wait<typename Answer<Op>::value_type> wait{loop};
    store.read(std::move(op), wait.callback());
    return wait.get();
}

Integration add_integration(Db& db, const std::string& name);
Release add_release(Db& db, IntegrationId integration, const std::string& hash);
Tenant add_tenant(Db& db, IntegrationId integration, const std::string& name);
// An integration 'shop', a release and a tenant 'acme'.
Tenant add_world(Db& db);
Trigger trigger_for(TenantId tenant);
// A made-up envelope with the header's form; each has another salt.
std::string fake_envelope(std::uint32_t key_id);
std::int64_t count(Db& db, const std::string& table);

// From BERTH_SEED, or chosen; printed, so that a failure can be repeated.
std::mt19937_64 seeded_random();

}  // namespace berth::test
