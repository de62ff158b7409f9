// Network egress as scripts meet it: real programs in real sandboxes, on a stand-in
// host with a world around it (test_network.h).
#include <catch2/catch.hpp>

#include "tests/egress/host.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::egress_test;

TEST_CASE("unmodified clients reach an allowed name, TLS end to end", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    CHECK(host.said(kCurl + "http://allowed.test/") == "hello from 5.5.5.2");
    CHECK(host.record() == "allowed.test 5.5.5.2:80 ok\n");
    const auto& made = host.programs.heard.connections.back();
    CHECK(made.sent_bytes > 60);  // the request
    CHECK(made.received_bytes == 58 + 18);
    CHECK(made.time_us > 0);

    CHECK(host.said(kCurl + "https://allowed.test/") == "hello from 5.5.5.2");
    CHECK(host.record() == "allowed.test 5.5.5.2:443 ok\n");
    CHECK(host.said(kCurl + "-6 http://v6.test/ || " + kCurl + "http://v6.test/") ==
          "hello from 2a00:5::2");  // no AAAA is told, and yet IPv6 is spoken outside
    CHECK(host.said("/usr/bin/python3 -c 'import urllib.request as u; "
                    "print(u.urlopen(\"https://allowed.test/\").read().decode())'") ==
          "hello from 5.5.5.2\n");
    CHECK(host.said("HTTPS_PROXY=http://127.0.0.1:3128 node -e '"
                    "fetch(\"https://allowed.test/\").then(r=>r.text()).then(console.log)'") ==
          "hello from 5.5.5.2\n");
    // Who does not know the world's certificate refuses it, so TLS is from end to end.
    CHECK(host.said(kCurl + "--cacert /etc/ssl/certs/ca-certificates.crt https://allowed.test/ "
                            "2>/dev/null; echo $?") == "60\n");
    CHECK(host.net.host_reached() == 0);
}

TEST_CASE("the proxy takes what has no listener of its own", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    CHECK(host.said(kCurl + "-p -x http://127.0.0.1:3128 http://allowed.test:8080/") ==
          "hello from 5.5.5.2");
    CHECK(host.record() == "allowed.test 5.5.5.2:8080 ok\n");
    // Without it the port has nobody: at once.
    CHECK(host.said(kCurl + "http://allowed.test:8080/; echo $?") == "7\n");
    CHECK(host.said(kCurl + "-p -x http://127.0.0.1:3128 http://allowed.test:9999/ 2>&1 | "
                            "grep -o 502") == "502\n");
    CHECK(host.record() == "allowed.test 5.5.5.2:9999 not reached: Connection refused\n");
    CHECK(
        host.said(kCurl + "-p -x http://127.0.0.1:3128 http://nowhere.test/ 2>&1 | grep -o 502") ==
        "502\n");
    CHECK(host.record() == "nowhere.test :80 not reached: there is no such name\n");
}

TEST_CASE("a run with a list of names reaches those, and no other through their server",
          "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    const std::vector<std::string> names{"allowed.test"};
    CHECK(host.said(kCurl + "https://allowed.test/", names) == "hello from 5.5.5.2");
    CHECK(host.said(kCurl + "http://other.test/; echo $?", names) == "6\n");  // no such name
    CHECK(host.record() == "other.test :0 not one of the names that the integration may reach\n");
    CHECK(host.net.asked("other.test") == 0);  // nothing left the host
    CHECK(host.said(kCurl + "http://5.5.6.3/ || echo refused", names) == "refused\n");
    CHECK(host.record() == " 5.5.6.3:80 an address, where the integration may reach names only\n");
    CHECK(host.said(kCurl + "--connect-to other.test:443:allowed.test:443 https://other.test/ || "
                            "echo refused",
                    names) == "refused\n");
    CHECK(host.record() ==
          "allowed.test 5.5.5.2:443 TLS to 'other.test', which is not one of the names that the "
          "integration may reach\n");
    // The control: without a list the same is allowed.
    CHECK(host.said(kCurl + "--connect-to other.test:443:allowed.test:443 https://other.test/") ==
          "hello from 5.5.5.2");
}

TEST_CASE("nothing but DNS and TCP leaves, and the script's own services are its own", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    CHECK(host.said("cat /etc/resolv.conf") == "nameserver 127.0.0.1\n");
    // Its own service on loopback, while berth-egress listens on the ports beside it.
    CHECK(host.said("/usr/bin/python3 -c '\n"
                    "import socket\n"
                    "s = socket.create_server((\"127.0.0.1\", 8080))\n"
                    "c = socket.create_connection((\"localhost\", 8080))\n"
                    "s.accept()[0].send(b\"own\")\n"
                    "print(c.recv(9).decode())\n"
                    "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    "u.settimeout(120)\n"
                    "u.connect((\"5.5.5.2\", 123)); u.send(b\"x\")\n"
                    "try: print(u.recv(9))\n"
                    "except ConnectionRefusedError: print(\"udp refused\")\n"
                    "for kind in (socket.SOCK_RAW,):\n"
                    "    try: socket.socket(socket.AF_INET, kind, 1); print(\"raw\")\n"
                    "    except PermissionError: print(\"raw refused\")\n"
                    "'") == "own\nudp refused\nraw refused\n");
    // Another DNS server than ours is ours as well, by both families, and by TCP.
    CHECK(host.said("/usr/bin/python3 -c '\n"
                    "import socket, struct\n"
                    "q = b\"\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\"\n"
                    "q += b\"\\x07allowed\\x04test\\x00\\x00\\x01\\x00\\x01\"\n"
                    "for family, server in ((socket.AF_INET, \"8.8.8.8\"), "
                    "(socket.AF_INET6, \"2001:4860:4860::8888\")):\n"
                    "    u = socket.socket(family, socket.SOCK_DGRAM)\n"
                    "    u.settimeout(120); u.connect((server, 53)); u.send(q)\n"
                    "    print(socket.inet_ntoa(u.recv(512)[-4:]))\n"
                    "    t = socket.create_connection((server, 53), 20)\n"
                    "    t.send(struct.pack(\"!H\", len(q)) + q)\n"
                    "    print(socket.inet_ntoa(t.recv(512)[-4:]))\n"
                    "'") == "198.18.0.0\n198.18.0.0\n198.18.0.0\n198.18.0.0\n");
    CHECK(host.net.reached() == "");
}

TEST_CASE("two runs at once do not see each other's names or connections", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    auto& programs = host.programs;
    programs.berthd->send(host.script(1, kCurl + "http://allowed.test/; read x </dev/zero & "
                                                 "echo; sleep 60"));
    programs.wait_for_output(1, "hello from 5.5.5.2\n");
    // The first run's name has the first stand-in; in the second it stands for nothing.
    programs.berthd->send(
        host.script(2, kCurl + "http://198.18.0.0/ || echo none; " + kCurl + "http://other.test/"));
    (void)programs.ended(2);
    CHECK(programs.out(2) == "none\nhello from 5.5.6.3");
    CHECK(host.record(2) ==
          " 198.18.0.0:80 an address that stands for no name; look the name up again\n"
          "other.test 5.5.6.3:80 ok\n");
    programs.berthd->send(ipc::Cancel{1, 1});
    (void)programs.ended(1);
    CHECK(host.record(1) == "allowed.test 5.5.5.2:80 ok\n");
}
