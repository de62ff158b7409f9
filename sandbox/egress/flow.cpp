#include "sandbox/egress/flow.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "model/limits.h"
#include "sandbox/egress/hello.h"
#include "sandbox/egress/own_addresses.h"

namespace berth::egress {
namespace {

std::string_view reason_of(int status) {
    switch (status) {
        case 403: return "Forbidden";
        case 405: return "Method Not Allowed";
        case 431: return "Request Header Fields Too Large";
        case 502: return "Bad Gateway";
        default: return "Bad Request";
    }
}

}  // namespace

std::unique_ptr<Flow> Flow::direct(Context context, Fd script, OnEnd on_end) {
    std::unique_ptr<Flow> flow{
        new Flow{context, std::move(script), Kind::direct, std::move(on_end)}};
    // Not at once: nothing is reported before the caller holds what it got.
    context.loop.later([flow = flow.get(), alive = flow->alive_] {
        if (*alive) flow->find_destination();
    });
    return flow;
}

std::unique_ptr<Flow> Flow::proxied(Context context, Fd script, OnEnd on_end) {
    std::unique_ptr<Flow> flow{
        new Flow{context, std::move(script), Kind::proxied, std::move(on_end)}};
    flow->too_slow_.start(limits::kEgressHeadTime);
    flow->poll_.emplace(context.loop, flow->script_.get(),
                        [flow = flow.get()](int) { flow->read_head(); });
    flow->poll_->want(Poll::readable);
    return flow;
}

Flow::Flow(Context context, Fd script, Kind kind, OnEnd on_end)
    : context_{context},
      script_{std::move(script)},
      kind_{kind},
      on_end_{std::move(on_end)},
      too_slow_{context.loop, [this] { refuse("it did not say where to within its time"); }} {
    record_.time_us = to_micros(context.clock.now());
}

Flow::~Flow() {
    *alive_ = false;
    poll_.reset();
    if (script_) reset_connection(std::move(script_));
}

ipc::Connection Flow::record() const {
    ipc::Connection record = record_;
    record.name = destination_.name;
    record.port = destination_.port;
    if (relay_) {
        record.sent_bytes = relay_->sent();
        record.received_bytes = relay_->received();
    }
    return record;
}

void Flow::find_destination() {
    sockaddr_storage to{};
    socklen_t size = sizeof to;
    if (::getsockname(script_.get(), reinterpret_cast<sockaddr*>(&to), &size) < 0)
        return refuse("its address cannot be read");
    const auto address = Address::from(reinterpret_cast<const sockaddr&>(to));
    if (!address) return refuse("its address is of no family that is served");
    // The port stands at the same place in both families.
    destination_.port = ntohs(reinterpret_cast<const sockaddr_in&>(to).sin_port);
    if (!Names::is_stand_in(*address)) {
        literal_ = *address;
        return go();
    }
    const auto name = context_.names.name_of(*address);
    record_.address = address->text();
    if (!name) return refuse("an address that stands for no name; look the name up again");
    record_.address.clear();
    destination_.name = *name;
    go();
}

void Flow::read_head() {
    std::array<char, 2048> buffer;
    const ssize_t n = ::recv(script_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return refuse("it ended before it said where to");
    head_.append(buffer.data(), static_cast<std::size_t>(n));
    const ConnectHead head = parse_connect(head_);
    if (head.parsed == Parsed::need_more) return;
    poll_.reset();
    too_slow_.stop();
    if (head.parsed == Parsed::bad) {
        answer(head.status, "only CONNECT HOST:PORT is served here");
        record_.refused = "what it sent the proxy was no CONNECT request";
        return end();
    }
    head_.erase(0, head.bytes);
    destination_.port = head.port;
    literal_ = Address::parse_loosely(head.host);
    if (literal_) return go();
    const auto name = host_name(head.host);
    destination_.name = name.value_or(printable(head.host, 80));
    if (!name) return refuse("neither a name nor an address");
    go();
}

void Flow::go() {
    if (literal_) return judge({Found::State::found, {*literal_}, {}});
    if (auto why = refuse_name(context_.policy, destination_.name); !why.empty())
        return refuse(std::move(why));
    context_.names.look_up(destination_.name, [this, alive = alive_](const Found& found) {
        if (*alive) judge(found);
    });
}

void Flow::judge(const Found& found) {
    switch (found.state) {
        case Found::State::found: break;
        case Found::State::no_such_name: return unreachable("there is no such name");
        case Found::State::too_many: return unreachable(kTooManyNames);
        case Found::State::failed: return unreachable("the name cannot be looked up: " + found.why);
    }
    // As long as this program's own view of the network is not known, nothing is judged.
    std::vector<Address> own;
    try {
        own = own_addresses();
    } catch (const SystemError& error) {
        return refuse(error.what());
    }
    Address refused;
    auto why = refuse_any(context_.policy, destination_, found.addresses, own, refused);
    if (!why.empty()) {
        record_.address = refused.text();
        return refuse(std::move(why));
    }
    dial_ = std::make_unique<Dial>(context_.loop, found.addresses, destination_.port,
                                   [this](Dialled result) { dialled(std::move(result)); });
}

void Flow::dialled(Dialled dialled) {
    record_.address = dialled.address.text();
    if (!dialled.connected) return unreachable(dialled.why);
    relay(std::move(dialled.connected));
}

void Flow::relay(Fd world) {
    Relay::Ends ends;
    ends.script = std::move(script_);
    ends.world = std::move(world);
    ends.to_world = std::move(head_);
    if (kind_ == Kind::proxied) ends.to_script = "HTTP/1.1 200 Connection established\r\n\r\n";
    // One server of a large host serves many names: a run with a list of names must
    // not reach another one through it. Others may go anywhere in any case.
    if (!context_.policy.names.empty() && !destination_.name.empty())
        ends.inspect = [this](std::string_view bytes) { return look_at_hello(bytes); };
    relay_ = std::make_unique<Relay>(context_.loop, std::move(ends), [this] { end(); });
}

Relay::Verdict Flow::look_at_hello(std::string_view bytes) {
    const ServerName server = parse_server_name(bytes);
    switch (server.parsed) {
        case Parsed::need_more: return Relay::Verdict::need_more;
        case Parsed::bad: record_.refused = "what began as TLS is none"; return Relay::Verdict::no;
        case Parsed::good: break;
    }
    if (server.name.empty() || refuse_name(context_.policy, server.name).empty())
        return Relay::Verdict::yes;
    record_.refused =
        fmt::format("TLS to '{}', which is not one of the names that the integration may reach",
                    printable(server.name, 80));
    return Relay::Verdict::no;
}

// ---- ends

void Flow::refuse(std::string why) {
    record_.refused = std::move(why);
    if (kind_ == Kind::proxied) answer(403, record_.refused);
    end();
}

void Flow::unreachable(const std::string& why) {
    record_.refused = "not reached: " + why;
    if (kind_ == Kind::proxied) answer(502, record_.refused);
    end();
}

// To somebody who has just asked: there is room for it, or nobody reads.
void Flow::answer(int status, std::string_view text) {
    const std::string reply = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: "
        "close\r\n\r\n{}\n",
        status, reason_of(status), text.size() + 1, text);
    (void)::send(script_.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
    poll_.reset();
    (void)::shutdown(script_.get(), SHUT_WR);
    script_.reset();
}

void Flow::end() {
    poll_.reset();
    too_slow_.stop();
    on_end_(record());
}

}  // namespace berth::egress
