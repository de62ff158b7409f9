#include "sandbox/egress/served_run.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "model/limits.h"

namespace berth::egress {

ServedRun::ServedRun(Loop& loop, const Clock& clock, const Rules& rules, ipc::EgressServe serve,
                     std::vector<Fd> listeners, Records::Emit emit)
    : loop_{loop},
      clock_{clock},
      serve_{std::move(serve)},
      policy_{rules.allow, serve_.names, rules.ports},
      records_{std::move(emit)},
      names_{loop, clock, serve_.turn},
      dns_handler_{[this](const DnsQuestion& question, Callback<void(std::string)> answer) {
          answer_dns(question, std::move(answer));
      }} {
    for (Fd& listener : listeners)
        listen(std::move(listener));
}

ServedRun::~ServedRun() { *alive_ = false; }

void ServedRun::listen(Fd socket) {
    int type = 0;
    socklen_t size = sizeof type;
    check(::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size),
          "asking what a listener is");
    sockaddr_storage at{};
    size = sizeof at;
    check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &size),
          "asking where a listener is");
    // The port stands at the same place in both families.
    const std::uint16_t port = ntohs(reinterpret_cast<const sockaddr_in&>(at).sin_port);
    if (type == SOCK_DGRAM) {
        udp_.push_back(std::make_unique<DnsByUdp>(loop_, std::move(socket), dns_handler_));
    } else if (port == ipc::kDnsPort) {
        tcp_.push_back(std::make_unique<DnsByTcp>(loop_, std::move(socket), dns_handler_));
    } else {
        const Way way = port == ipc::kProxyPort ? Way::proxied : Way::direct;
        listeners_.push_back(std::make_unique<Listener>(
            loop_, std::move(socket),
            [this, way](Fd connected) { accepted(std::move(connected), way); }));
    }
}

// ---- connections

void ServedRun::accepted(Fd connected, Way way) {
    const auto id = next_id_++;
    const auto on_end = [this, id](const ipc::Connection& record) { ended(id, record); };
    const Flow::Context context{loop_, clock_, policy_, names_};
    flows_.emplace(id, way == Way::direct ? Flow::direct(context, std::move(connected), on_end)
                                          : Flow::proxied(context, std::move(connected), on_end));
    if (flows_.size() < limits::kEgressConnections) return;
    for (const auto& listener : listeners_)
        listener->pause();  // the others wait in the backlog
}

void ServedRun::ended(std::uint64_t id, const ipc::Connection& record) {
    add(record);
    auto gone = flows_.extract(id);
    // Later, since this call comes from within it.
    loop_.later([held = std::shared_ptr<Flow>{std::move(gone.mapped())}] {});
    if (flows_.size() + 1 != limits::kEgressConnections) return;
    for (const auto& listener : listeners_)
        listener->resume();
}

void ServedRun::add(ipc::Connection record) {
    record.run_id = serve_.run_id;
    record.attempt = serve_.attempt;
    records_.add(record);
}

void ServedRun::finish() {
    listeners_.clear();
    udp_.clear();
    tcp_.clear();
    for (auto open = std::exchange(flows_, {}); const auto& [id, flow] : open)
        add(flow->record());
    records_.finish();
}

// ---- names

void ServedRun::answer_dns(const DnsQuestion& question, Callback<void(std::string)> answer) {
    auto shared = std::make_shared<Callback<void(std::string)>>(std::move(answer));
    const auto at_once = [&](DnsCode code) {
        loop_.later([shared, text = make_dns_answer(question, code)] { (*shared)(text); });
    };
    if (question.opcode != 0) return at_once(DnsCode::not_implemented);
    if (question.kind != kDnsClassInternet) return at_once(DnsCode::refused);
    const auto name = host_name(question.name);
    if (!name) return at_once(DnsCode::no_such_name);
    if (auto why = refuse_name(policy_, *name); !why.empty()) {
        ipc::Connection record;
        record.time_us = to_micros(clock_.now());
        record.name = *name;
        record.refused = std::move(why);
        // Asked for both addresses at once, by most: once is enough on the record.
        if (question.type != kDnsTypeAaaa) add(std::move(record));
        return at_once(DnsCode::no_such_name);
    }
    names_.look_up(*name, [this, alive = alive_, question, shared](const Found& found) {
        if (*alive) (*shared)(answer_to(question, found));
    });
}

std::string ServedRun::answer_to(const DnsQuestion& question, const Found& found) {
    switch (found.state) {
        case Found::State::found: break;
        case Found::State::no_such_name: return make_dns_answer(question, DnsCode::no_such_name);
        case Found::State::failed: return make_dns_answer(question, DnsCode::server_failure);
        case Found::State::too_many: {
            // Without the name: however many it asks for, they are one record and a number.
            ipc::Connection record;
            record.time_us = to_micros(clock_.now());
            record.refused = kTooManyNames;
            add(std::move(record));
            return make_dns_answer(question, DnsCode::server_failure);
        }
    }
    // Whatever else it has, only the stand-in is told: nothing but it can be reached.
    if (question.type != kDnsTypeA) return make_dns_answer(question, DnsCode::no_error);
    const auto address = names_.stand_in(*host_name(question.name));
    if (!address) return make_dns_answer(question, DnsCode::server_failure);
    return make_dns_answer(question, DnsCode::no_error, address);
}

}  // namespace berth::egress
