#include "base/loop/service.h"

namespace berth {

Service::Service(Loop& loop, Notifier notifier)
    : notifier_{std::move(notifier)}, again_{loop, [this] { alive(); }} {
    if (notifier_.alive_every().count() > 0) alive();
}

void Service::alive() { again_.start(std::chrono::milliseconds{notifier_.keep_alive(-1)}); }

}  // namespace berth
