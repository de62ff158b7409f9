// The launcher's loop: one runner at a time, any number of sandboxes on their way.
// What a run waits for goes first; parked sandboxes are built when there is time.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <deque>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/notify.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/build.h"
#include "sandbox/launcher/pool.h"

namespace berth::launcher {

class Server {
public:
    Server(const Workshop& workshop, Pool::Policy policy, unsigned cores, Notifier manager)
        : workshop_{workshop}, pool_{policy}, cores_{cores}, manager_{std::move(manager)} {}

    // Either `runner` is connected, and its end ends this; or runners with this uid
    // are taken from `listener`. `signals` is a signalfd for SIGCHLD, SIGTERM, SIGINT
    // and SIGHUP, which has all parked sandboxes replaced. Returns the program's exit
    // code.
    int run(Fd runner, Fd listener, uid_t runner_uid, const Fd& signals);

private:
    int wait_ms() const;
    bool read_signals(const Fd& signals);
    void reap();
    void accept(const Fd& listener, uid_t runner_uid);
    bool greet();
    void runner_gone();

    // From the runner. False when it is gone, or sent what is no request.
    bool read_requests();
    bool serve(const ipc::BuildRequest& request);
    bool serve(const ipc::TakeRequest& request);
    bool serve(const ipc::KillRequest& request);
    Failed attach_taken(const ipc::TakeRequest& request);
    bool refuse(const ipc::BuildRequest& request, Failed failed);

    // What is on its way: server_builds.cpp. False when the runner is gone.
    Failed begin(const ipc::BuildRequest& request);
    bool begin_waiting();
    bool make_room();
    void begin_parking();
    void parking_failed(const Failed& failed);
    bool advance_all(const std::vector<pollfd>& watched);
    bool finish(Building& building, Building::Stage stage);
    bool retire_expired();
    bool retire(const Pool::Name& name);
    bool let_go_of_complete(unsigned count);
    std::vector<ipc::Class> parking() const;

    Workshop workshop_;
    Pool pool_;
    unsigned cores_;
    Notifier manager_;  // of the service: told that we are ready, and that we live
    Fd runner_;
    std::deque<ipc::BuildRequest> waiting_;
    std::int64_t full_since_ms_ = -1;  // since when the first of them finds no slot
    static constexpr std::int64_t kSlotWaitMs = 500;
    std::vector<std::unique_ptr<Building>> building_;
};

}  // namespace berth::launcher
