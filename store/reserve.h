// Room on the disk that is kept for the ends of what was begun: a file that gives its
// blocks back when the disk is full. From then until it can be made again nothing new
// is accepted, so that what is being done can be finished.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/clock.h"
#include "base/guarded.h"

namespace berth {

// Thread: any.
class Reserve {
public:
    // Makes 'reserve' in `dir`, or finds that there is no room for it.
    Reserve(std::filesystem::path dir, const Clock& clock);

    // The disk is full: the room is free for those who end what was begun.
    void release();
    bool released() const;
    // Whether the reserve is there, now or again. It is when there is half as much room
    // beside it: else the next change would find the disk full. Asks the disk four times a
    // second at most.
    bool remake();

private:
    struct State {
        bool released = true;
        std::optional<SteadyTime> tried{};  // since it was released
    };
    bool make(State& state);

    const std::filesystem::path path_;
    const Clock& clock_;
    mutable Guarded<State> state_;
};

}  // namespace berth
