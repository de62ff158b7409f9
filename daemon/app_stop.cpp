// How berthd ends: at a restart, with its runs, or because its store is broken.
#include <signal.h>

#include "daemon/app_impl.h"
#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kLastWords = 2s;  // for the ends of stopped runs to be stored
constexpr auto kStopTail = limits::kTermGrace + limits::kDrainTime + kLastWords;

}  // namespace

void AppImpl::run_ended(RunId id) {
    engine_.ended(id);
    if (!stopping_) return;
    if (may_leave()) return end();
    say_stopping();
}

void AppImpl::say_stopping() {
    service_.stopping(fmt::format("stopping; waiting for {} live runs to {}", flow_.live(),
                                  draining_ ? "end" : "be handed over"));
}

bool AppImpl::may_leave() const {
    return all_answered_ && (draining_ ? flow_.live() : flow_.unsettled()) == 0;
}

// No new runs; those that had not begun wait again. SIGTERM (a restart, an upgrade)
// leaves live ones to the runner, for the next berthd. With SIGINT they may end by
// themselves for a while, then they are stopped and recorded as lost. Then the server
// ends, then we do.
void AppImpl::stop(int signo) {
    const bool draining = signo == SIGINT;
    if (std::exchange(stopping_, true) && draining_ == draining) return;
    draining_ = draining;
    log_info("stopping", {{"signal", signo}, {"live_runs", flow_.live()}});
    if (!draining) leases_.close();  // else what still runs is ours until it ends
    close_parts();
    // Answered after all that the store was asked before: a run that has begun meanwhile
    // is with us then, and is given back.
    store_->finish([](Db&) {},
                   [this](Result<void>) {
                       all_answered_ = true;
                       if (may_leave()) end();
                   });
    say_stopping();
    if (draining) {
        service_.extend_timeout(config_.stop_grace + kStopTail + kLastWords);
        grace_.start(config_.stop_grace);
    } else {
        last_.start(kLastWords);
    }
}

// All but the leases.
void AppImpl::close_parts() {
    engine_.close();
    schedules_.close();
    retention_.close();
    rotation_.close();
    tokens_.close();
    flow_.close();
    jobs_.close();
}

void AppImpl::grace_is_over() {
    flow_.stop_all();
    last_.start(kStopTail);
}

void AppImpl::end() {
    if (std::exchange(ending_, true)) return;
    grace_.stop();
    last_.stop();
    service_.stopping("stopping");
    // Of a store that is broken nothing is asked any more.
    const auto leave = [this] {
        if (exit_code_ != 0) return loop_->stop();
        beacon_.last([this] { loop_->stop(); });
    };
    if (!server_) return leave();
    // Who is still answered by the public one may be waiting for the other.
    if (!public_server_) return server_->stop(leave);
    public_server_->stop([this, leave] { server_->stop(leave); });
}

// What is on disk is known only after the store was opened anew: recovery puts
// the runs right.
void AppImpl::store_broke(const Failure& why) {
    log_error("the store cannot be used, leaving to be started again", {{"reason", why.message}});
    exit_code_ = 1;
    stopping_ = true;
    leases_.close();
    close_parts();
    end();
}

}  // namespace berth
