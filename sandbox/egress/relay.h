// Two connected sockets as one connection: what comes out of one goes into the other.
// Memory is held only while an end is slow, and never more than a buffer each way; an
// end of writing and a reset are passed on as what they were.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "base/loop/timer.h"

namespace berth::egress {

// Closes with a reset, as who refuses or has failed; a plain close would look like a
// finished answer.
void reset_connection(Fd socket) noexcept;

// Thread: loop.
class Relay {
public:
    // Looks at what the script has sent so far, which is held back until it says yes.
    enum class Verdict { need_more, yes, no };
    using Inspect = std::function<Verdict(std::string_view)>;

    struct Ends {
        Fd script;
        Fd world;
        std::string to_script;  // to be sent first
        std::string to_world;
        Inspect inspect;  // empty: nothing is held back
    };
    // `on_end` is called once and may destroy this.
    Relay(Loop& loop, Ends ends, std::function<void()> on_end);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    ~Relay();

    std::uint64_t sent() const noexcept { return out_.bytes; }  // by the script
    std::uint64_t received() const noexcept { return in_.bytes; }
    bool refused() const noexcept { return refused_; }  // `inspect` said no

private:
    struct Way {
        int from = -1;
        int to = -1;
        std::string waiting;  // read, not yet written from `at` on
        std::size_t at = 0;
        bool ended = false;  // `from` has
        bool shut = false;   // and `to` knows
        std::uint64_t bytes = 0;

        bool empty() const { return at == waiting.size(); }
    };
    enum class Going { on, broken };
    void turn();
    Going pump(Way& way);
    Going write_waiting(Way& way);
    Going look_at(const Way& way);
    void update_wanted();
    void finish(Going how);
    void close(Going how);

    Fd script_;
    Fd world_;
    Inspect inspect_;
    bool refused_ = false;
    std::function<void()> on_end_;
    Way out_;  // script → world
    Way in_;
    std::optional<Poll> script_poll_;  // of the sockets; gone before them
    std::optional<Poll> world_poll_;
    Timer idle_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::egress
