// Connects to the first of some addresses that answers: one after the other, each
// with a time limit. They were judged before; nothing else is ever connected to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "base/loop/timer.h"
#include "sandbox/egress/address.h"

namespace berth::egress {

struct Dialled {
    Fd connected;     // empty: nobody answered
    Address address;  // that answered, or the last one tried
    std::string why;  // when nobody did
};

// Thread: loop. `done` is not called after the destructor; it may destroy this.
class Dial {
public:
    Dial(Loop& loop, std::vector<Address> addresses, std::uint16_t port,
         Callback<void(Dialled)> done);
    Dial(const Dial&) = delete;
    Dial& operator=(const Dial&) = delete;
    ~Dial();

private:
    void try_next();
    void answered();
    void failed(int err);

    Loop& loop_;
    std::vector<Address> addresses_;
    std::uint16_t port_;
    std::size_t next_ = 0;
    Callback<void(Dialled)> done_;
    std::string why_ = "it has no address";
    Fd socket_;
    std::optional<Poll> poll_;  // of socket_; goes first
    Timer too_long_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::egress
