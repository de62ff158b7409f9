// A runner that has no descriptors left fails the run that needs them, and no other one.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/runner/hand_played.h"

using namespace berth;
using ipc::EndKind;

namespace {

// Until the end of the scope this process, which is the runner here, may open so many more.
class Scarce {
public:
    explicit Scarce(rlim_t more) {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const Fd first_free{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)};
        rlimit scarce = before_;
        scarce.rlim_cur = static_cast<rlim_t>(first_free.get()) + more;
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &scarce) == 0);
    }
    Scarce(const Scarce&) = delete;
    Scarce& operator=(const Scarce&) = delete;
    ~Scarce() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

}  // namespace

#if defined(__SANITIZE_ADDRESS__)
// UBSan looks at an object through a pipe of its own before it makes a virtual call. That
// one does not count: it is opened above the limit. (The product's pipes are pipe2's.)
extern "C" int pipe(int* ends) {
    rlimit before{};
    rlimit raised{};
    if (::getrlimit(RLIMIT_NOFILE, &before) != 0) return -1;
    raised = before;
    raised.rlim_cur = raised.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) return -1;
    const long made = ::syscall(SYS_pipe2, ends, 0);
    (void)::setrlimit(RLIMIT_NOFILE, &before);
    return static_cast<int>(made);
}
#endif

TEST_CASE("a run whose sandbox finds no descriptors in the runner fails alone", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto live = stage.run(stage.start(1));
    stage.berthd->send(stage.start(2));
    auto lost = stage.reply_built(stage.next_request());
    rlim_t more = 0;
    SECTION("none of the sandbox's own can be taken") { more = 0; }
    SECTION("one of the sandbox's own can be taken") { more = 1; }
    SECTION("its own can be taken, but there are none for its pipes") { more = 4; }
    {
        const Scarce scarce{more};
        CHECK(stage.ended(2).kind == EndKind::setup_failed);
        CHECK(stage.ended(2).number == EMFILE);
    }
    CHECK(stage.heard.closed.empty());
    lost.die();
    // The launcher is still there, and so is everybody's next run.
    auto next = stage.run(stage.start(3));
    stage.end(next, 0);
    CHECK(stage.ended(3).kind == EndKind::exited);
    stage.end(live, 0);
    CHECK(stage.ended(1).kind == EndKind::exited);
}

TEST_CASE("without descriptors a parked sandbox is given up, and the run is built for later",
          "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto parked = stage.park(3, 70);
    {
        const Scarce scarce{2};
        stage.berthd->send(stage.start(1));
        CHECK(stage.next_take().serial == 70);
        CHECK(stage.receive(parked.status.get()).state == Packet::State::closed);
    }
    // It is asked for anew, and by then there are some.
    auto sandbox = stage.reply_built(stage.next_request());
    stage.take_plan(sandbox);
    sandbox.plan.reset();
    run_until(stage.loop, [&] { return !stage.heard.started.empty(); });
    stage.end(sandbox, 0);
    CHECK(stage.ended(1).kind == EndKind::exited);
}
