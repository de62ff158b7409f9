#include "control/peer.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <iostream>

#include "base/pipe.h"
#include "control/server.h"
#include "tests/control/harness.h"

using namespace berth;
using namespace berth::testing;
using Catch::Contains;

namespace {

Peer peer_of(uid_t uid, gid_t gid, std::vector<gid_t> groups = {}) {
    return {.pid = 1, .uid = uid, .gid = gid, .groups = std::move(groups), .role = Role::none};
}

// What a process with these ids is answered to GET /ok. Between fork and _exit
// only system calls: the test has threads.
std::string answer_to(const std::filesystem::path& socket, uid_t uid, gid_t gid, gid_t group) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
    Pipe pipe = make_pipe();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        char buffer[4096];
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::setgroups(1, &group) < 0 || ::setresgid(gid, gid, gid) < 0 ||
            ::setresuid(uid, uid, uid) < 0 ||
            ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
            ::_exit(1);
        (void)!::send(fd, kMarker.data(), kMarker.size(), MSG_NOSIGNAL);
        for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
            if (::write(pipe.write.get(), buffer, static_cast<std::size_t>(n)) != n) ::_exit(2);
        ::_exit(0);
    }
    pipe.write.reset();
    std::string answer(4096, '\0');
    std::size_t have = 0;
    for (ssize_t n = 0;
         (n = ::read(pipe.read.get(), answer.data() + have, answer.size() - have)) > 0;)
        have += static_cast<std::size_t>(n);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    answer.resize(have);
    return answer;
}

}  // namespace

TEST_CASE("who is an administrator", "[control]") {
    const PeerRules rules{.daemon_uid = 990, .group = 980};
    CHECK(role_of(peer_of(0, 0), rules) == Role::administrator);
    CHECK(role_of(peer_of(990, 990), rules) == Role::administrator);
    CHECK(role_of(peer_of(1000, 980), rules) == Role::administrator);
    CHECK(role_of(peer_of(1000, 1000, {4, 24, 980}), rules) == Role::administrator);

    CHECK(role_of(peer_of(1000, 1000), rules) == Role::none);
    CHECK(role_of(peer_of(1000, 1000, {4, 24, 990}), rules) == Role::none);
    CHECK(role_of(peer_of(980, 1000), rules) == Role::none);
    CHECK(role_of(peer_of(1000, 0, {0}), rules) == Role::none);  // root's group is not root
}

TEST_CASE("an id that nobody has opens nothing, whatever the rules say", "[control]") {
    const auto nobody = GENERATE(65534U, static_cast<unsigned>(-1));
    const PeerRules rules{.daemon_uid = nobody, .group = nobody};
    CHECK(role_of(peer_of(nobody, nobody), rules) == Role::none);
    CHECK(role_of(peer_of(nobody, 0, {0}), PeerRules{.daemon_uid = 0, .group = 0}) == Role::none);
    CHECK(role_of(peer_of(1000, nobody, {nobody}), rules) == Role::none);
    CHECK(role_of(Peer{}, PeerRules{}) == Role::none);
}

TEST_CASE("the kernel says who connects", "[control]") {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    const Fd a{pair[0]};
    const Fd b{pair[1]};
    const Peer peer = read_peer(a.get(), {.daemon_uid = ::geteuid(), .group = {}});
    CHECK(peer.pid == ::getpid());
    CHECK(peer.uid == ::geteuid());
    CHECK(peer.gid == ::getegid());
    CHECK(peer.role == Role::administrator);
    CHECK_THROWS_WITH(read_peer(-1, {}), Contains("reading the credentials of a socket's peer"));
}

TEST_CASE("the server serves administrators and refuses all others", "[control]") {
    if (::geteuid() != 0) {
        std::cout << "skipped: connecting as other users needs root\n";
        return;
    }
    ServerInThread server{add_test_routes, [](ServerOptions& options) {
                              options.peers = {.daemon_uid = 990, .group = 980};
                          }};
    REQUIRE(::chmod(server.socket().c_str(), 0666) == 0);
    REQUIRE(::chmod(server.socket().parent_path().c_str(), 0755) == 0);
    CHECK(status_in(answer_to(server.socket(), 0, 0, 0)) == 200);
    CHECK(status_in(answer_to(server.socket(), 990, 990, 990)) == 200);
    CHECK(status_in(answer_to(server.socket(), 1000, 980, 1000)) == 200);
    CHECK(status_in(answer_to(server.socket(), 1000, 1000, 980)) == 200);
    for (const uid_t uid : {1000U, 65534U}) {
        const auto refused = answer_to(server.socket(), uid, 1000, 1000);
        CHECK(statuses_in(refused) == std::vector{403});
        CHECK_THAT(refused, Catch::EndsWith(R"({"detail":"Not authorized"})"));
    }
    CHECK(status_in(answer_to(server.socket(), 65534, 980, 980)) == 403);
}
