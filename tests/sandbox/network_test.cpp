// A sandbox without network reaches nothing of the host's (sandbox.md T11).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstring>

#include "base/error.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;

namespace {

struct Listener {
    Fd socket;
    std::string port;
};

Listener listen_on_loopback() {
    Fd socket{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    check(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), "binding");
    check(::listen(socket.get(), 4), "listening");
    check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), "asking");
    return {std::move(socket), std::to_string(ntohs(address.sin_port))};
}

Fd listen_abstract(const std::string& name) {
    Fd socket{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    check(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), "binding");
    check(::listen(socket.get(), 4), "listening");
    return socket;
}

ipc::BuildRequest with_host_network(const Launcher& launcher) {
    ipc::BuildRequest request = launcher.request();
    request.kind.network = ipc::Network::host;
    request.kind.grants = ipc::grant_host_network;
    return request;
}

}  // namespace

TEST_CASE("without network nothing of the host answers", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Listener host = listen_on_loopback();
    CHECK(launcher.said({"connect4", "127.0.0.1", host.port}) == "ECONNREFUSED\n");
    CHECK(launcher.said({"connect6", "::ffff:127.0.0.1", host.port}) == "ECONNREFUSED\n");
    CHECK(launcher.said({"connect4", "169.254.169.254", "80"}) == "ENETUNREACH\n");
    CHECK(launcher.said({"connect4", "10.0.0.1", "80"}) == "ENETUNREACH\n");
    CHECK(launcher.said({"connect6", "fd00:ec2::254", "80"}) == "ENETUNREACH\n");
    CHECK(launcher.said({"connect6", "2606:4700::1", "443"}) == "ENETUNREACH\n");
    CHECK(launcher.said({"read", "/etc/resolv.conf"}) == "nameserver 127.0.0.1\n");
}

TEST_CASE("an abstract socket of the host is not reached", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const std::string name = "berth-test-" + std::to_string(launcher.pid());
    const Fd host = listen_abstract(name);
    CHECK(launcher.said({"connect-abstract", name}) == "ECONNREFUSED\n");
}

TEST_CASE("the host's network is there when it was granted", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Listener host = listen_on_loopback();
    const Ended ended =
        launcher.run_with(with_host_network(launcher), probe({"connect4", "127.0.0.1", host.port}));
    CHECK(ended.out == "ok\n");
}

TEST_CASE("the host's network does not bring its abstract sockets", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    if (launcher.hello.landlock_abi < 6) {
        WARN("skipped: Landlock before version 6 cannot keep abstract sockets apart");
        return;
    }
    const std::string name = "berth-test-" + std::to_string(launcher.pid());
    const Fd host = listen_abstract(name);
    const Ended ended =
        launcher.run_with(with_host_network(launcher), probe({"connect-abstract", name}));
    CHECK(ended.out == "EPERM\n");
}

TEST_CASE("no runner gets the host's network from a launcher that was not told to", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher::Options options;
    options.host_network = Launcher::HostNetwork::refused;
    Launcher launcher{options};
    const ipc::Ready reply = launcher.build(with_host_network(launcher)).reply;
    CHECK(reply.step == ipc::Step::request);
    CHECK(reply.err == EPERM);
    CHECK(launcher.said({"read", "/etc/resolv.conf"}) ==
          "nameserver 127.0.0.1\n");  // others are built
}

TEST_CASE("with network egress every address leads to the listeners, and nowhere else",
          "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    const Listener host = listen_on_loopback();
    ipc::BuildRequest request = launcher.request();
    request.kind.network = ipc::Network::egress;
    const auto said = [&](const std::string& act, const std::string& address,
                          const std::string& port) {
        return launcher.run_with(request, probe({act, address, port})).out;
    };
    // Accepted by the kernel for a listener that nobody serves here.
    CHECK(said("connect4", "169.254.169.254", "80") == "ok\n");
    CHECK(said("connect6", "2606:4700::1", "443") == "ok\n");
    CHECK(said("connect6", "fd00:ec2::254", "443") == "ok\n");
    // No listener: nobody at all, at once.
    CHECK(said("connect4", "127.0.0.1", host.port) == "ECONNREFUSED\n");
    CHECK(said("connect4", "10.0.0.1", "81") == "ECONNREFUSED\n");

    Sandbox sandbox = launcher.build(request);
    CHECK(sandbox.reply.listeners == 13);  // ten ports, DNS twice, the proxy
    CHECK(launcher.build().reply.listeners == 0);
}
