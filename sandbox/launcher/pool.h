// The parked sandboxes of the one runner: which there are, which are missing, which
// are too old. Decides, and leaves building and sending to the server.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {

// Ready and waiting. The runner holds the other ends of its sockets.
struct Parked {
    unsigned slot = 0;
    std::uint64_t serial = 0;
    ipc::Class kind;
    ipc::SandboxLimits limits;  // that it was built with
    std::int64_t since_ms = 0;
    bool retiring = false;  // the runner was asked to let it go
    Fd mounts;              // its mount namespace
    Fd plan;                // the runner's end of the plan socket, for Attached
    Fd lifeline;            // pid 1 ends when this closes before it was told of a run
};

class Pool {
public:
    struct Policy {
        unsigned size = 0;  // of each class
        std::int64_t max_age_ms = 600'000;
        // After a take, so that what was started is not slowed by its replacement; with
        // less than half of a class left it is not waited for.
        std::int64_t pause_ms = 3;
        std::int64_t retry_ms = 1000;  // after a sandbox could not be built
        // Serials come after it: no two launchers should give the same.
        std::uint64_t last_serial = 0;
    };
    explicit Pool(Policy policy) : policy_{policy}, serial_{policy.last_serial} {}

    unsigned size() const { return policy_.size; }

    // From now on there are to be parked ones of this class, for such limits.
    void want(const ipc::Class& kind, const ipc::SandboxLimits& limits);

    std::uint64_t next_serial() { return ++serial_; }
    void add(Parked parked);
    // A run takes it; nothing if it has died. One that is retiring may be taken: the
    // runner did not know.
    std::optional<Parked> take(unsigned slot, std::uint64_t serial, std::int64_t now_ms);
    // Its pid 1 is gone: the serial, if it was parked.
    std::optional<std::uint64_t> died(unsigned slot);
    void build_failed(std::int64_t now_ms) { not_before_ms_ = now_ms + policy_.retry_ms; }
    void clear() { parked_.clear(); }
    std::size_t count() const { return parked_.size(); }
    bool any_retiring() const;

    struct Wanted {
        ipc::Class kind;
        ipc::SandboxLimits limits;
    };
    // The class that should be built for now, `building` being on their way.
    std::optional<Wanted> missing(const std::vector<ipc::Class>& building,
                                  std::int64_t now_ms) const;

    struct Name {
        unsigned slot = 0;
        std::uint64_t serial = 0;
    };
    // Marks and names the oldest one that is not retiring; `older_than_ms` 0: whatever
    // its age is.
    std::optional<Name> retire_oldest(std::int64_t now_ms, std::int64_t older_than_ms = 0);
    std::optional<Name> retire_expired(std::int64_t now_ms) {
        return retire_oldest(now_ms, policy_.max_age_ms);
    }
    // When missing() or retire_expired() may have another answer; -1: not by time alone.
    std::int64_t next_change_ms(const std::vector<ipc::Class>& building, std::int64_t now_ms) const;

private:
    unsigned of_class(const ipc::Class& kind) const;
    // When one of this class may be built; -1: there are enough.
    std::int64_t due_ms(const Wanted& wanted, const std::vector<ipc::Class>& building) const;

    Policy policy_;
    std::vector<Wanted> wanted_;
    std::vector<Parked> parked_;  // oldest first
    std::uint64_t serial_;
    std::int64_t taken_ms_ = -1'000'000;  // never
    std::int64_t not_before_ms_ = 0;
};

}  // namespace berth::launcher
