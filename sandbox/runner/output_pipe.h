// The reading end of one stream of a script, read at our own pace: while it is
// paused the script blocks on its write, and nothing grows.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"

namespace berth::runner {

// Thread: loop. No callback runs after the destructor.
class OutputPipe {
public:
    struct Events {
        std::function<void(std::string_view raw)> on_bytes;
        std::function<void()> on_end;  // every writer has closed; called once
    };
    OutputPipe(Loop& loop, Fd read_end, Events events);

    void pause() { wait_for(Wanted::no); }
    void resume() { wait_for(Wanted::yes); }
    // Reads what is there now and closes, though a writer may be left.
    void cut();
    bool ended() const noexcept { return !fd_; }
    int fd() const noexcept { return fd_.get(); }

private:
    enum class Wanted { no, yes };
    enum class Got { bytes, nothing, end };
    void wait_for(Wanted wanted);
    Got read_once();
    void ready();
    void close();

    Fd fd_;
    Events events_;
    std::optional<Poll> poll_;  // while fd_ is open
};

}  // namespace berth::runner
