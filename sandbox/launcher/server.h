// The launcher's loop: one runner at a time, one request after the other.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/cgroup.h"
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/slots.h"

namespace berth::launcher {

class Server {
public:
    Server(const Equipment& equipment, Cgroups& cgroups, Slots& slots)
        : equipment_{equipment}, cgroups_{cgroups}, slots_{slots} {}

    // Either `runner` is connected, and its end ends this; or runners with this uid
    // are taken from `listener`. `signals` is a signalfd for SIGCHLD, SIGTERM, SIGINT.
    // Returns the program's exit code.
    int run(Fd runner, Fd listener, uid_t runner_uid, const Fd& signals);

private:
    bool read_signals(const Fd& signals);
    void reap();
    void accept(const Fd& listener, uid_t runner_uid);
    bool greet();
    bool answer_one();
    bool hand_over(const ipc::BuildRequest& request);

    const Equipment& equipment_;
    Cgroups& cgroups_;
    Slots& slots_;
    Fd runner_;
};

}  // namespace berth::launcher
