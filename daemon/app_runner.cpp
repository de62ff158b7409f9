// What berthd does when the runner comes, has no keys, or goes.
#include "daemon/app_impl.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kKeysAgain = 1s;

}  // namespace

void AppImpl::store_own_programs() {
    upload_work_.run([this] {
        Result<std::string> stored = fail(FailureKind::unavailable, "not stored yet");
        try {
            stored = store_programs(program_folders(), config_.releases_dir);
        } catch (const std::exception& error) {  // the boundary of this work
            stored = fail(FailureKind::unavailable, "the programs for jobs cannot be stored: {}",
                          error.what());
        }
        loop_->post([this, stored] { jobs_.programs_stored(stored); });
    });
}

void AppImpl::runner_came() {
    const auto& hello = runner_.hello();
    if (hello->root_key_id.empty()) {
        say("serving; nothing can run: berth-runner has no root key");
        log_error("berth-runner has no root key, nothing can run", {{"reason", hello->why}});
        return;
    }
    if (runner_.keys_loaded()) return ready_or_not();
    load_keys();
}

// One at a time: a runner that is asked twice before its first key is stored would
// make two, and what is sealed with the one that is not stored could never be opened.
void AppImpl::load_keys() {
    if (!runner_.hello() || std::exchange(loading_keys_, true)) return;
    keys_.load([this](Result<void> loaded) {
        loading_keys_ = false;
        if (!loaded) {
            log_error("cannot hand the keys to berth-runner, nothing can run",
                      {{"reason", loaded.error().message}});
            if (loaded.error().kind != FailureKind::denied) keys_again_.start(kKeysAgain);
        } else if (!runner_.keys_loaded()) {
            load_keys();  // it was started again meanwhile
        }
        ready_or_not();
    });
}

void AppImpl::ready_or_not() {
    if (stopping_) return;
    if (runner_.keys_loaded()) rotation_.go_on();
    if (!runner_.ready()) return engine_.close();
    log_info("ready");
    say("serving; runs start");
    engine_.open();
}

void AppImpl::runner_went(const std::string& why) {
    engine_.close();
    jobs_.runner_gone(why);
    flow_.runner_gone();
    say("serving; nothing can run until berth-runner is back");
}

}  // namespace berth
