// One connection of a script, from its acceptance inside the sandbox to its record:
//
//   head ─► looking up ─► judging ─► dialling ─► relaying ─► over
//   (CONNECT only)            └─► refused
//
// A refusal resets the connection, or answers 403 to a CONNECT.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "base/loop/timer.h"
#include "sandbox/egress/dial.h"
#include "sandbox/egress/names.h"
#include "sandbox/egress/policy.h"
#include "sandbox/egress/relay.h"
#include "sandbox/ipc/messages.h"

namespace berth::egress {

// Thread: loop.
class Flow {
public:
    // What it shares with the other connections of its run; lives longer.
    struct Context {
        Loop& loop;
        const Clock& clock;
        const Policy& policy;
        Names& names;
    };
    // With its record; the owner destroys the flow, but not from within.
    using OnEnd = std::function<void(const ipc::Connection&)>;

    // Accepted by a listener: the address it was made to says where it goes.
    static std::unique_ptr<Flow> direct(Context context, Fd script, OnEnd on_end);
    // Accepted by the proxy: its CONNECT says where it goes.
    static std::unique_ptr<Flow> proxied(Context context, Fd script, OnEnd on_end);

    // The record as it stands, for one that is cut off at the end of its run.
    ipc::Connection record() const;

    Flow(const Flow&) = delete;
    Flow& operator=(const Flow&) = delete;
    ~Flow();

private:
    enum class Kind { direct, proxied };
    Flow(Context context, Fd script, Kind kind, OnEnd on_end);
    void find_destination();
    void read_head();
    void go();
    void judge(const Found& found);
    void dialled(Dialled dialled);
    void relay(Fd world);
    Relay::Verdict look_at_hello(std::string_view bytes);
    void refuse(std::string why);
    void unreachable(const std::string& why);
    void answer(int status, std::string_view text);
    void end();

    Context context_;
    Fd script_;
    Kind kind_;
    OnEnd on_end_;
    Destination destination_;
    std::optional<Address> literal_;
    std::string head_;  // of a CONNECT; then what came after it
    ipc::Connection record_;
    std::optional<Poll> poll_;  // of script_, while its head is read
    Timer too_slow_;
    std::unique_ptr<Dial> dial_;
    std::unique_ptr<Relay> relay_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::egress
