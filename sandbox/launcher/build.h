// One sandbox on its way, from the launcher's side: its processes build it around
// themselves and ask for what only the launcher may do. What succeeds is handed over,
// what fails is undone. Nothing here waits, so any number may be on their way at once.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/attach.h"
#include "sandbox/launcher/cgroup.h"
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/network.h"
#include "sandbox/launcher/slots.h"

namespace berth::launcher {

// What builds need, the same for all.
struct Workshop {
    const Equipment& equipment;
    const Attacher& attacher;
    Cgroups& cgroups;
    Slots& slots;
};

class Building {
public:
    // With an id of 0 it is to be parked: built with low priority, and without a release.
    explicit Building(const ipc::BuildRequest& request) : request_{request} {}
    Building(const Building&) = delete;
    Building& operator=(const Building&) = delete;
    ~Building();  // ends one that was not handed over

    // Takes the slot. What fails here leaves nothing behind.
    Failed begin(Workshop& workshop, unsigned slot, std::int64_t now_ms);

    // When setup() has something to say, or has ended.
    enum class Stage { working, ready, failed };
    Stage advance(const Workshop& workshop, std::int64_t now_ms);
    // When it is deadline_ms() and it is still working.
    Stage give_up();
    // Its pid 1 was reaped and its slot may be another's: what it still says does not
    // count, unless it is why it failed.
    void ended() { ended_ = true; }

    const ipc::BuildRequest& request() const { return request_; }
    bool parks() const { return request_.id == 0; }
    unsigned slot() const { return slot_; }
    int setup() const { return setup_.get(); }
    std::int64_t deadline_ms() const { return deadline_ms_; }
    const Failed& failure() const { return failure_; }

    // Tells pid 1 that a run has it: from now on it lives by its status socket alone.
    static bool tell_taken(const Fd& lifeline);
    // Tells pid 2 whether it has its release.
    static bool tell_attached(const Fd& plan, const Failed& failed);

    // A ready one's, to be moved out; `lifeline` is what was the setup socket.
    struct Result {
        Fd plan;
        Fd status;
        Fd pidfd;
        Fd cgroup;
        Fd lifeline;
        Fd mounts;
        Listeners listeners;
    };
    Result hand_over(const Workshop& workshop);
    // The record that goes with it, but for serial.
    ipc::Ready reply(const Workshop& workshop, const Result& result, std::int64_t now_us) const;

private:
    Failed clone_init(const Workshop& workshop, const Fd& clone_into);
    Failed answer(const SetupMessage& message, Listeners& received, const Workshop& workshop);

    ipc::BuildRequest request_;
    unsigned slot_ = 0;
    pid_t pid_ = -1;
    Fd setup_;
    Fd plan_;
    Fd status_;
    Fd pidfd_;
    Fd mounts_;
    Listeners listeners_;
    bool init_ready_ = false;
    bool script_ready_ = false;
    bool ended_ = false;
    bool handed_over_ = false;
    ipc::Step silent_ = ipc::Step::close_descriptors;  // what it means to hear nothing more
    Failed failure_;
    std::int64_t began_us_ = 0;
    std::int64_t deadline_ms_ = 0;
};

// Of the steady clock.
std::int64_t now_us();
inline std::int64_t now_ms() { return now_us() / 1000; }

}  // namespace berth::launcher
