// The uid pairs of the reserved range: one per sandbox, given back only when its
// pid 1 has been reaped, since then no process and no mount of it can be left.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace berth::launcher {

class Slots {
public:
    Slots(uid_t first_uid, unsigned count) : first_uid_{first_uid}, pids_(count, 0), serials_(count, 0) {}

    // The one that has been free for longest; nothing when all are in use.
    std::optional<unsigned> take();
    void set_pid(unsigned slot, pid_t pid) { pids_[slot] = pid; }
    // Under which serial the runner knows the sandbox that has it now.
    void set_serial(unsigned slot, std::uint64_t serial) { serials_[slot] = serial; }
    // After its pid 1 was reaped: which one is free now; nothing when it is none of ours.
    std::optional<unsigned> reaped(pid_t pid);

    // Slots whose uids are in use by sandboxes of an earlier launcher: looked up in an
    // open /proc, and again before each take() until none is left. 0, or an errno value.
    int find_survivors(int proc);
    bool has_survivors() const { return survivors_; }

    // Ends the sandbox of that name, with every process in it: SIGKILL to its pid 1, which
    // cannot refuse it, or to all that has the uids where an earlier launcher left one.
    // False when there is none, or no longer.
    bool kill(unsigned slot, std::uint64_t serial, int proc) const;

    uid_t uid_of(unsigned slot) const { return first_uid_ + 2 * slot; }
    unsigned free_count() const;
    unsigned count() const { return static_cast<unsigned>(pids_.size()); }

private:
    static constexpr pid_t kSurvivor = -1;
    uid_t first_uid_;
    std::vector<pid_t> pids_;             // 0: free
    std::vector<std::uint64_t> serials_;  // 0: not handed out
    bool survivors_ = false;
    unsigned next_ = 0;
};

}  // namespace berth::launcher
