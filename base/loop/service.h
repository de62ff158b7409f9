// A daemon with a loop as its service manager sees it: ready, reloading, stopping, and
// alive as often as the watchdog asks. Where no manager is, nothing is said.
#pragma once

#include <chrono>
#include <string>

#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/notify.h"

namespace berth {

// Thread: loop.
class Service {
public:
    explicit Service(Loop& loop, Notifier notifier = Notifier::from_environment());

    // The texts are for people: `systemctl status` shows the last one.
    void ready(const std::string& status) { notifier_.ready(status.c_str()); }
    void reloading(const std::string& status) { notifier_.reloading(status.c_str()); }
    void stopping(const std::string& status) { notifier_.stopping(status.c_str()); }
    void status(const std::string& status) { notifier_.status(status.c_str()); }
    void extend_timeout(std::chrono::milliseconds time) { notifier_.extend_timeout(time); }

private:
    void alive();

    Notifier notifier_;
    Timer again_;
};

}  // namespace berth
