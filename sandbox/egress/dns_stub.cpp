#include "sandbox/egress/dns_stub.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "model/limits.h"

namespace berth::egress {
namespace {

constexpr int kPerTurn = 16;  // so that a flood of questions does not hold up the loop
constexpr std::size_t kUdpBytes = 1232;
constexpr std::size_t kTcpBytes = 4096;

// Who asked, and which of our addresses was asked: the answer must come from there.
struct Asker {
    sockaddr_storage from{};
    socklen_t from_bytes = 0;
    alignas(cmsghdr) std::array<char, 128> control{};
    std::size_t control_bytes = 0;
};

}  // namespace

DnsByUdp::DnsByUdp(Loop& loop, Fd socket, const DnsHandler& handler)
    : socket_{std::move(socket)}, handler_{handler}, poll_{loop, socket_.get(), [this](int) {
                                                               for (int i = 0; i < kPerTurn; ++i)
                                                                   if (!answer_one()) return;
                                                           }} {
    poll_.want(Poll::readable);
}

// False when there is nothing more to read now.
bool DnsByUdp::answer_one() {
    std::array<char, kUdpBytes> bytes;
    Asker asker;
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_name = &asker.from;
    message.msg_namelen = sizeof asker.from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = asker.control.data();
    message.msg_controllen = asker.control.size();
    const ssize_t n = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0) return errno == EINTR;
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return true;
    asker.from_bytes = message.msg_namelen;
    asker.control_bytes = message.msg_controllen;
    const auto question = parse_dns({bytes.data(), static_cast<std::size_t>(n)});
    if (!question) return true;
    handler_(*question, [this, alive = alive_, asker](std::string answer) mutable {
        if (!*alive) return;
        iovec text{answer.data(), answer.size()};
        msghdr reply{};
        reply.msg_name = &asker.from;
        reply.msg_namelen = asker.from_bytes;
        reply.msg_iov = &text;
        reply.msg_iovlen = 1;
        reply.msg_control = asker.control.data();
        reply.msg_controllen = asker.control_bytes;
        // Lost when there is no room, as DNS answers may be; the script asks again.
        (void)::sendmsg(socket_.get(), &reply, MSG_NOSIGNAL | MSG_DONTWAIT);
    });
    return true;
}

// A connection that asks one question after the other.
struct DnsByTcp::Client {
    Client(Loop& loop, std::uint64_t its_id, Fd connected, DnsByTcp& owner)
        : id{its_id},
          socket{std::move(connected)},
          poll{std::in_place, loop, socket.get(), [this, &owner](int) { owner.read_some(*this); }},
          too_slow{loop, [this, &owner] { owner.drop(id); }} {
        poll->want(Poll::readable);
        too_slow.start(limits::kEgressHeadTime);
    }
    std::uint64_t id;
    Fd socket;
    std::string waiting;
    std::optional<Poll> poll;  // of socket; goes first
    Timer too_slow;
};

DnsByTcp::DnsByTcp(Loop& loop, Fd listening, const DnsHandler& handler)
    : loop_{loop}, handler_{handler}, listener_{loop, std::move(listening), [this](Fd connected) {
                                                    accepted(std::move(connected));
                                                }} {}

DnsByTcp::~DnsByTcp() { *alive_ = false; }

void DnsByTcp::accepted(Fd connected) {
    if (clients_.size() >= limits::kEgressDnsConnections) return;  // hung up on
    const auto id = next_id_++;
    clients_.emplace(id, std::make_unique<Client>(loop_, id, std::move(connected), *this));
}

void DnsByTcp::drop(std::uint64_t id) {
    auto gone = clients_.extract(id);
    if (gone.empty()) return;
    gone.mapped()->poll.reset();
    gone.mapped()->too_slow.stop();
    // Later, since this may come from within its callback.
    loop_.later([held = std::shared_ptr<Client>{std::move(gone.mapped())}] {});
}

void DnsByTcp::read_some(Client& client) {
    std::array<char, kTcpBytes> bytes;
    const ssize_t n = ::recv(client.socket.get(), bytes.data(), bytes.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return drop(client.id);
    client.waiting.append(bytes.data(), static_cast<std::size_t>(n));
    while (client.waiting.size() >= 2) {
        const auto high = static_cast<unsigned char>(client.waiting[0]);
        const auto low = static_cast<unsigned char>(client.waiting[1]);
        const std::size_t size = std::size_t{high} << 8 | low;
        if (size > kTcpBytes) return drop(client.id);
        if (client.waiting.size() < 2 + size) return;
        const auto question = parse_dns(std::string_view{client.waiting}.substr(2, size));
        if (!question) return drop(client.id);
        client.waiting.erase(0, 2 + size);
        client.too_slow.start(limits::kEgressHeadTime);
        handler_(*question, [this, alive = alive_, id = client.id](const std::string& answer) {
            if (!*alive) return;
            const auto asker = clients_.find(id);
            if (asker == clients_.end()) return;
            std::string framed{static_cast<char>(answer.size() >> 8),
                               static_cast<char>(answer.size() & 0xff)};
            framed += answer;
            const int socket = asker->second->socket.get();
            const ssize_t sent = ::send(socket, framed.data(), framed.size(), MSG_NOSIGNAL);
            // It asks without reading: its own fault.
            if (sent != static_cast<ssize_t>(framed.size())) drop(id);
        });
    }
}

}  // namespace berth::egress
