// The DNS server of one run, on sockets opened inside its sandbox: UDP, and TCP for
// those that insist. It never passes a question on; what a name stands for is found by
// the host's own resolver, and only names that the run may reach are looked up.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/callback.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "base/loop/stream.h"
#include "base/loop/timer.h"
#include "sandbox/egress/dns.h"

namespace berth::egress {

// Gives the answer to a question, maybe later; never to answer is fine.
using DnsHandler = std::function<void(const DnsQuestion&, Callback<void(std::string answer)>)>;

// Thread: loop.
class DnsByUdp {
public:
    DnsByUdp(Loop& loop, Fd socket, const DnsHandler& handler);
    ~DnsByUdp() { *alive_ = false; }
    DnsByUdp(const DnsByUdp&) = delete;
    DnsByUdp& operator=(const DnsByUdp&) = delete;

private:
    bool answer_one();

    Fd socket_;
    const DnsHandler& handler_;
    Poll poll_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Thread: loop.
class DnsByTcp {
public:
    DnsByTcp(Loop& loop, Fd listening, const DnsHandler& handler);
    DnsByTcp(const DnsByTcp&) = delete;
    DnsByTcp& operator=(const DnsByTcp&) = delete;
    ~DnsByTcp();

private:
    struct Client;
    void accepted(Fd connected);
    void read_some(Client& client);
    void drop(std::uint64_t id);

    Loop& loop_;
    const DnsHandler& handler_;
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, std::unique_ptr<Client>> clients_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    Listener listener_;
};

}  // namespace berth::egress
