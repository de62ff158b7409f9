// What lies inside: scripts reach none of it, by whatever name or form of address, unless
// the administrator's entry opens it. Each has its control.
#include <catch2/catch.hpp>

#include "tests/egress/host.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::egress_test;

namespace {

// Exits 0 when the address answers a request, with its number of bytes.
const std::string kFetchAddress = kCurl + "-o /dev/null -w '%{http_code}' ";

}  // namespace

TEST_CASE("every inner place is refused by name", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    struct Case {
        const char* name;
        const char* record;
    };
    const Case cases[] = {
        {"private.test", "10.0.0.5:80 a private address"},
        {"carrier.test", "100.64.0.1:80 an address within a carrier's network"},
        {"metadata.test",
         "169.254.169.254:80 a link-local address, where clouds keep their metadata"},
        {"loop.test", "127.0.0.1:80 a loopback address"},
        {"zero.test", "0.0.0.0:80 an address of 'this network'"},
        {"own.test", "5.5.5.1:80 an address of this host itself"},
        {"mixed.test", "10.0.0.5:80 a private address"},
        {"loop6.test", "::1:80 a loopback address"},
        {"mapped.test", "10.0.0.5:80 a private address"},
        {"ula.test", "fd00:ec2::254:80 a private address"},
        {"linklocal.test", "fe80::1:80 a link-local address"},
        {"sixtofour.test",
         "2002:a9fe:a9fe::1:80 a link-local address, where clouds keep their metadata"},
        {"nat64.test",
         "64:ff9b::a9fe:a9fe:80 a link-local address, where clouds keep their metadata"},
        {"hosts-file.test", "10.0.0.7:80 a private address"},
    };
    std::string script;
    std::string expected;
    for (const Case& one : cases) {
        script += kCurl + "http://" + one.name + "/ && echo REACHED\n";
        expected += std::string{one.name} + " " + one.record + "\n";
    }
    CHECK(host.said(script + "true") == "");
    CHECK(host.record() == expected);
    std::string proxied;
    for (const Case& one : cases)
        proxied += kFetchAddress + "-p -x http://127.0.0.1:3128 http://" + std::string{one.name} +
                   "/ && echo REACHED\n";
    (void)host.said(proxied + "true");
    CHECK(host.programs.out(host.last_run).find("REACHED") == std::string::npos);
    CHECK(host.record() == expected);
    CHECK(host.net.reached() == "");
    CHECK(host.net.host_reached() == 0);
}

TEST_CASE("every inner place is refused by address, in any form", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    const char* literals[] = {"169.254.169.254",
                              "10.0.0.5",
                              "127.0.0.1",
                              "100.64.0.1",
                              "5.5.5.1",
                              "0.0.0.0",
                              "0x7f.1",
                              "2852039166",
                              "0251.0376.0251.0376",
                              "[::1]",
                              "[::]",
                              "[::ffff:10.0.0.5]",
                              "[::ffff:a9fe:a9fe]",
                              "[fd00:ec2::254]",
                              "[2002:a9fe:a9fe::1]",
                              "[64:ff9b::a9fe:a9fe]",
                              "[2a00:5::5efe:a00:5]",
                              "[::127.0.0.1]",
                              "168.63.129.16",
                              "[2a00:5::1]"};
    std::string script;
    for (const char* literal : literals) {
        script += kCurl + "-g http://" + literal + "/ && echo REACHED\n";
        script +=
            kCurl + "-g -p -x http://127.0.0.1:3128 http://" + literal + "/ && echo REACHED\n";
    }
    CHECK(host.said(script + "true") == "");
    CHECK(host.net.reached() == "");
    CHECK(host.net.host_reached() == 0);
    // The control: a public address is reached in the same two ways.
    CHECK(host.said(kCurl + "http://5.5.6.9/ && " + kCurl +
                    "-p -x http://127.0.0.1:3128 http://5.5.6.9/") ==
          "hello from 5.5.6.9hello from 5.5.6.9");
    CHECK(host.net.reached() == "5.5.6.9:80 5.5.6.9:80");
}

TEST_CASE("with the host's network the same places are reached", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    TestNetwork net;
    RealPrograms programs{{}, RealPrograms::HostNetwork::allowed};
    ipc::Start start =
        programs.script(1, kCurl + "http://169.254.169.254/ && " + kCurl + "http://10.0.0.5/ && " +
                               kCurl + "--max-time 1 http://127.0.0.1/");
    start.network = static_cast<std::uint32_t>(ipc::Network::host);
    start.grants = ipc::grant_host_network;
    (void)programs.run(start);
    CHECK(programs.out(1) == "hello from 169.254.169.254hello from 10.0.0.5");
    CHECK(net.host_reached() == 1);
}

TEST_CASE("the administrator's entry opens one place and no other", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host{{"--allow", "10.0.0.5:80", "--allow", "db.inner.test:5432"}};
    CHECK(host.said(kCurl + "http://10.0.0.5/") == "hello from 10.0.0.5");
    CHECK(host.said(kCurl + "http://private.test/") == "hello from 10.0.0.5");
    CHECK(host.said(kCurl + "http://db.inner.test:5432/") == "hello from 10.0.0.5");
    CHECK(host.said(kCurl + "http://10.0.0.5:5432/ || " + kCurl + "http://10.0.0.6/ || " + kCurl +
                    "http://carrier.test/ || echo none") == "none\n");
    CHECK(host.net.reached() == "10.0.0.5:80 10.0.0.5:80 10.0.0.5:5432");
}

TEST_CASE("a name that changes its address between check and connection gets nowhere", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    // Its answers are a public address and the metadata service by turns; 1,000 names, since
    // what was found serves for a while. Who looked up again before connecting would get
    // to the other one.
    (void)host.said(
        "/usr/bin/python3 -c '\n"
        "import socket\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def go(i):\n"
        "    for attempt in range(2):\n"
        "        try:\n"
        "            s = socket.create_connection((\"flip%d.test\" % i, 80), 20)\n"
        "            s.sendall(b\"GET / HTTP/1.0\\r\\n\\r\\n\"); s.recv(100); s.close()\n"
        "        except OSError: pass\n"
        "with ThreadPoolExecutor(16) as pool: list(pool.map(go, range(1000)))\n"
        "'");
    std::string expected = "5.5.5.2:80";
    for (int i = 1; i < 1000; ++i)
        expected += " 5.5.5.2:80";  // two for each name that was public
    CHECK(host.net.reached() == expected);
    CHECK(host.net.asked("flip0.test") == 1);
    CHECK(host.net.asked("flip999.test") == 1);
    CHECK(host.net.host_reached() == 0);
    CHECK(host.record().find("flip1.test 169.254.169.254:80 a link-local address") !=
          std::string::npos);
}
