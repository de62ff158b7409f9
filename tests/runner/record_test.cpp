#include "sandbox/runner/record.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "base/file.h"
#include "base/pipe.h"

using namespace berth;
using namespace berth::runner;

TEST_CASE("a record arrives whole, with its descriptors closed on exec", "[runner]") {
    const auto pair = make_seqpacket_pair();
    const auto pipe = make_pipe();
    ipc::Ready reply;
    reply.id = 7;
    const int fds[] = {pipe.read.get(), pipe.write.get()};
    REQUIRE(send_record(pair.a.get(), reply, fds) == 0);
    const Packet packet = receive_packet(pair.b.get());
    const auto got = packet.as<ipc::Ready>(ipc::Record::ready);
    REQUIRE(got);
    CHECK(got->id == 7);
    REQUIRE(packet.descriptors.size() == 2);
    for (const Fd& fd : packet.descriptors)
        CHECK(::fcntl(fd.get(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("what is not exactly the expected record is none", "[runner]") {
    const auto pair = make_seqpacket_pair();
    const auto as_report = [&] {
        return receive_packet(pair.b.get()).as<ipc::EndReport>(ipc::Record::ended);
    };
    ipc::EndReport report;
    REQUIRE(send_record(pair.a.get(), report) == 0);
    CHECK(as_report());

    REQUIRE(send_packet(pair.a.get(), &report, sizeof report - 1, {}) == 0);
    CHECK_FALSE(as_report());
    report.header.version = ipc::kVersion + 1;
    REQUIRE(send_record(pair.a.get(), report) == 0);
    CHECK_FALSE(as_report());
    report.header = {ipc::kMagic, ipc::kVersion, ipc::Record::ready};
    REQUIRE(send_record(pair.a.get(), report) == 0);
    CHECK_FALSE(as_report());
    report.header = {0, ipc::kVersion, ipc::Record::ended};
    REQUIRE(send_record(pair.a.get(), report) == 0);
    CHECK_FALSE(as_report());
}

TEST_CASE("an oversized packet and too many descriptors are broken, not cut", "[runner]") {
    const auto pair = make_seqpacket_pair();
    const std::string big(513, 'x');
    REQUIRE(send_packet(pair.a.get(), big.data(), big.size(), {}) == 0);
    Packet packet = receive_packet(pair.b.get());
    CHECK(packet.state == Packet::State::broken);
    CHECK(packet.err == EPROTO);

    constexpr std::size_t kTooMany = kMaxDescriptors + 1;
    char control[CMSG_SPACE(kTooMany * sizeof(int))] = {};
    iovec part{const_cast<char*>(big.data()), 8};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(kTooMany * sizeof(int));
    const int fds[kTooMany] = {};
    std::memcpy(CMSG_DATA(c), fds, sizeof fds);
    REQUIRE(::sendmsg(pair.a.get(), &header, 0) == 8);
    packet = receive_packet(pair.b.get());
    CHECK(packet.state == Packet::State::broken);
    CHECK(packet.err == EPROTO);
}

TEST_CASE("a socket says nothing yet, full, or closed", "[runner]") {
    auto pair = make_seqpacket_pair();
    CHECK(receive_packet(pair.b.get()).state == Packet::State::nothing_yet);
    int err = 0;
    while ((err = send_record(pair.a.get(), ipc::EndReport{})) == 0) {
    }
    CHECK(err == EAGAIN);
    while (receive_packet(pair.b.get()).state == Packet::State::received) {
    }
    pair.b.reset();
    CHECK(send_record(pair.a.get(), ipc::EndReport{}) == EPIPE);
    CHECK(receive_packet(pair.a.get()).state == Packet::State::closed);
}
