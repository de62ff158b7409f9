// The runner's end of the connection to berth-egress: hands the listeners of live
// runs over, takes their Connections. berth-egress may go and come back; the runner
// keeps the listeners, so that what a script connects to meanwhile waits.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "sandbox/ipc/egress_channel.h"
#include "sandbox/runner/run_key.h"

namespace berth::runner {

// Thread: loop.
class EgressClient {
public:
    struct Events {
        std::function<void(const ipc::Connection&)> on_connection;
        std::function<void()> on_change;  // of present(), as far as it does not take time
        std::function<void()> on_gone;    // to be looked for again
    };
    EgressClient(Loop& loop, const Clock& clock, Events events);
    EgressClient(const EgressClient&) = delete;
    EgressClient& operator=(const EgressClient&) = delete;
    ~EgressClient();

    // A fresh connection; every live run is handed over at once.
    void attach(Fd connected);
    // It answers, or was connected to a moment ago and may still be starting.
    bool present() const;

    // `turn` and `connections`: where an earlier runner stood with it.
    void serve(RunKey run, std::vector<std::string> names, std::vector<Fd> listeners,
               std::uint32_t turn = 0, std::uint64_t connections = 0);
    // `done` when its last Connection has come, or nothing more can be expected of it.
    // A run that is not served is done too.
    void stop(RunKey run, Callback<void()> done);
    // Stops all of them; nobody waits.
    void forget_all();

private:
    struct Served {
        std::vector<std::string> names;
        std::vector<Fd> listeners;
        std::uint32_t turn = 0;
        std::uint64_t connections = 0;  // that it has told of
        Callback<void()> stopped;       // set: it is being stopped
        std::unique_ptr<Timer> too_long;
    };
    void hand_over(RunKey run, Served& served);
    bool receive(ipc::EgressType type, std::string_view payload);
    void gone(const std::string& why);
    void finish(RunKey run);

    Loop& loop_;
    const Clock& clock_;
    Events events_;
    bool answers_ = false;
    SteadyTime attached_{};
    std::map<RunKey, Served> runs_;
    std::unique_ptr<ipc::EgressChannel> channel_;
};

}  // namespace berth::runner
