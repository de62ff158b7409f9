// Sandboxes that are complete: built for one exact request, with its release mounted and
// its limits set, though no run has asked for them yet. The next run with an equal request
// sends its plan and begins; the launcher has no part in it any more. Decides which are
// worth having; the launcher's client makes them, out of parked ones.
//
// A run is a wish for another one like it. There are few, so a new one takes the place of
// the oldest only when that has waited for long: requests that go round and never meet
// their sandbox must not have one built and thrown away at each start. One that dies while
// it stands here is wished for again, but not for ever: between two runs as often as there
// is room, so that a host that kills them all is not kept busy with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/runner/sandbox.h"

namespace berth::runner {

// Thread: loop.
class Shelf {
public:
    static constexpr std::chrono::minutes kMostAge{10};
    static constexpr std::chrono::minutes kSafeAge{1};  // makes room for others only after it

    // `on_death`: one has died, and is not here any more.
    Shelf(Loop& loop, const Clock& clock, std::function<void()> on_death)
        : loop_{loop}, clock_{clock}, on_death_{std::move(on_death)} {}

    // For a launcher that parks so many of each class: half as many. Lets all go.
    void open(std::uint32_t pool_size);
    std::size_t most() const noexcept { return most_; }
    std::size_t size() const noexcept { return complete_.size(); }

    void wish(const ipc::BuildRequest& request);
    // The newest wish of a class that `can_be_made`, if there is room for it beside those
    // `coming`. It is no wish any more.
    std::optional<ipc::BuildRequest> next_wish(
        std::size_t coming, const std::function<bool(const ipc::Class&)>& can_be_made);

    void put(const ipc::BuildRequest& request, Sandbox sandbox);
    // The youngest for this request. Its end may be on its way all the same.
    std::optional<Sandbox> take(const ipc::BuildRequest& request);
    // The oldest ones; how many it were.
    std::size_t let_go(std::size_t count);
    void let_go_of_old();
    // When that has something to do; nothing when it is empty.
    std::optional<std::chrono::milliseconds> next_change() const;

private:
    struct Complete {
        ipc::BuildRequest request;
        Sandbox sandbox;
        SteadyTime since;
        std::optional<Poll> end;  // after the sandbox, whose status socket it watches
    };
    using Place = std::list<Complete>::iterator;
    void add_wish(const ipc::BuildRequest& request);
    bool has_room(std::size_t coming) const;
    void died(Place at);

    Loop& loop_;
    const Clock& clock_;
    std::function<void()> on_death_;
    std::size_t most_ = 0;
    std::size_t deaths_ = 0;                // since a run's wish
    std::deque<ipc::BuildRequest> wishes_;  // newest first
    std::list<Complete> complete_;          // oldest first
};

}  // namespace berth::runner
