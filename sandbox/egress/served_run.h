// One run that is served: its listeners, the names it has asked for, its connections
// and their records. Nothing is shared with another run but the administrator's list.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/stream.h"
#include "sandbox/egress/dns_stub.h"
#include "sandbox/egress/flow.h"
#include "sandbox/egress/names.h"
#include "sandbox/egress/policy.h"
#include "sandbox/egress/records.h"
#include "sandbox/ipc/egress_messages.h"

namespace berth::egress {

// What the administrator has decided, for all runs; from the command line.
struct Rules {
    std::vector<AllowEntry> allow;
    std::vector<std::uint16_t> ports;  // empty: any
};

// Thread: loop.
class ServedRun {
public:
    // Throws SystemError when a listener is none.
    ServedRun(Loop& loop, const Clock& clock, const Rules& rules, ipc::EgressServe serve,
              std::vector<Fd> listeners, Records::Emit emit);
    ServedRun(const ServedRun&) = delete;
    ServedRun& operator=(const ServedRun&) = delete;
    ~ServedRun();

    // Cuts off what is open and reports all that was not reported yet.
    void finish();

private:
    enum class Way { direct, proxied };
    void listen(Fd socket);
    void accepted(Fd connected, Way way);
    void ended(std::uint64_t id, const ipc::Connection& record);
    void answer_dns(const DnsQuestion& question, Callback<void(std::string)> answer);
    std::string answer_to(const DnsQuestion& question, const Found& found);
    void add(ipc::Connection record);

    Loop& loop_;
    const Clock& clock_;
    const ipc::EgressServe serve_;
    const Policy policy_;
    Records records_;
    Names names_;
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, std::unique_ptr<Flow>> flows_;
    const DnsHandler dns_handler_;
    std::vector<std::unique_ptr<DnsByUdp>> udp_;
    std::vector<std::unique_ptr<DnsByTcp>> tcp_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::egress
