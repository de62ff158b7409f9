// Looking names up for runs that come and go.
#include "sandbox/egress/names.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/loop/uv_error.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace berth::egress;

namespace {

// All threads that look names up are busy until the end of the scope, as with a slow server.
class BusyThreads {
public:
    BusyThreads() {
        for (Work& work : works_) {
            work.uv.data = this;
            const auto wait = [](uv_work_t* uv) {
                auto* self = static_cast<BusyThreads*>(uv->data);
                std::unique_lock lock{self->mutex_};
                ++self->busy_;
                self->changed_.notify_all();
                self->changed_.wait(lock, [self] { return self->over_; });
            };
            check_uv(uv_queue_work(loop_.raw(), &work.uv, wait, [](uv_work_t*, int) {}),
                     "keeping a thread busy");
        }
        // libuv has four; more wait behind.
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return busy_ >= 4; });
    }
    ~BusyThreads() {
        {
            const std::lock_guard lock{mutex_};
            over_ = true;
        }
        changed_.notify_all();
        uv_run(loop_.raw(), UV_RUN_NOWAIT);
    }
    BusyThreads(const BusyThreads&) = delete;
    BusyThreads& operator=(const BusyThreads&) = delete;

private:
    struct Work {
        uv_work_t uv{};
    };
    Loop loop_;
    std::vector<Work> works_{4};
    std::mutex mutex_;
    std::condition_variable changed_;
    int busy_ = 0;
    bool over_ = false;
};

}  // namespace

TEST_CASE("the questions of a run that has ended wait for no thread", "[egress]") {
    Loop loop;
    const BusyThreads busy;
    const SystemClock clock;
    int answered = 0;
    {
        Names names{loop, clock, 0};
        for (const char* name : {"one.invalid", "two.invalid", "three.invalid"})
            names.look_up(name, [&](const Found&) { ++answered; });
        CHECK(loop.raw()->active_reqs.count == 3);
    }
    test::run_until(loop, [&] { return loop.raw()->active_reqs.count == 0; });
    CHECK(answered == 0);
}

TEST_CASE("what is asked twice at once is looked up once", "[egress]") {
    Loop loop;
    const SystemClock clock;
    Names names{loop, clock, 0};
    int answered = 0;
    for (int i = 0; i < 2; ++i)
        names.look_up("localhost", [&](const Found& found) {
            ++answered;
            CHECK(found.state == Found::State::found);
        });
    CHECK(loop.raw()->active_reqs.count == 1);
    test::run_until(loop, [&] { return answered == 2; });
}
