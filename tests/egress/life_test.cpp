// berth-egress comes and goes, and so do runs; none of them takes others with it.
#include <signal.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>

#include "tests/egress/host.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::egress_test;

TEST_CASE("a connection that is open when its run ends is cut off and recorded", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    auto& programs = host.programs;
    programs.berthd->send(host.script(1, "echo begun; " + kCurl +
                                             "--max-time 240 -N "
                                             "http://allowed.test/wait"));
    programs.wait_for_output(1, "begun");
    run_until(programs.loop, [&] { return host.net.reached() == "5.5.5.2:80"; });
    programs.berthd->send(ipc::Cancel{1, 1});
    const auto& ended = programs.ended(1);
    CHECK(ended.kind == ipc::EndKind::cancelled);
    CHECK(host.record(1) == "allowed.test 5.5.5.2:80 ok\n");
    CHECK(programs.heard.connections.back().sent_bytes > 0);
}

TEST_CASE("berth-egress dies and comes back: live runs go on, their records too", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    auto& programs = host.programs;
    programs.berthd->send(host.script(1, kCurl +
                                             "http://allowed.test/; echo; "
                                             "while [ ! -e /app/go ]; do :; done; " +
                                             kCurl + "http://198.18.0.0/ || echo stale; " + kCurl +
                                             "http://other.test/"));
    programs.wait_for_output(1, "hello from 5.5.5.2\n");
    // What is still open when berth-egress dies has no record.
    run_until(programs.loop, [&] { return !programs.heard.connections.empty(); });
    host.egress.program->signal(SIGKILL);
    run_until(programs.loop, [&] { return host.egress.ended; });
    host.egress.ended = false;
    host.start_egress();
    std::ofstream{programs.release() / "go"} << "x";
    const auto& ended = programs.ended(1);
    CHECK(ended.number == 0);
    // The old stand-in is not another name's now.
    CHECK(programs.out(1) == "hello from 5.5.5.2\nstale\nhello from 5.5.6.3");
    CHECK(host.record(1) ==
          "allowed.test 5.5.5.2:80 ok\n"
          " 198.18.0.0:80 an address that stands for no name; look the name up again\n"
          "other.test 5.5.6.3:80 ok\n");
}

TEST_CASE("without berth-egress a run that needs it fails, and others do not", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms programs;
    ipc::Start start = programs.script(1, "echo no");
    start.network = static_cast<std::uint32_t>(ipc::Network::egress);
    const auto& ended = programs.run(start);
    CHECK(ended.kind == ipc::EndKind::setup_failed);
    CHECK(ended.text == "berth-egress is not there; see whether it is running");
    CHECK(programs.run(programs.script(2, "echo yes")).number == 0);
}

// Not a test: how fast it is, against a direct connection. Best with release builds.
TEST_CASE("what the way through berth-egress costs", "[.measure]") {
    BERTH_NEEDS_SANDBOX();
    const std::string load =
        "-o /dev/null -w '%{speed_download}\n' http://5.5.6.9/bytes/2000000000";
    const std::string many =
        "/usr/bin/python3 -c '\n"
        "import socket, time\n"
        "t = []\n"
        "for i in range(1000):\n"
        "    b = time.perf_counter(); s = socket.create_connection((\"5.5.6.9\", 80))\n"
        "    s.sendall(b\"GET / HTTP/1.0\\r\\n\\r\\n\"); s.recv(100); s.close()\n"
        "    t.append(time.perf_counter() - b)\n"
        "t.sort(); print(\"request us: p50\", int(t[500] * 1e6), \"p99\", int(t[990] * 1e6))\n"
        "'";
    const std::string all = kCurl + load + "; " + kCurl + load + "; " + kCurl + load + "; " + many;
    {
        Host host;
        std::cout << "through berth-egress\n" << host.said(all);
    }
    TestNetwork net;
    RealPrograms programs{{}, RealPrograms::HostNetwork::allowed};
    ipc::Start start = programs.script(1, all);
    start.network = static_cast<std::uint32_t>(ipc::Network::host);
    start.grants = ipc::grant_host_network;
    (void)programs.run(start);
    std::cout << "direct\n" << programs.out(1);
}

TEST_CASE("a run that floods the name server takes no other run's answers", "[egress]") {
    BERTH_NEEDS_SANDBOX();
    Host host;
    // Names whose server never answers; past a number of them it is told so at once.
    host.programs.berthd->send(host.script(1'000, R"(exec /usr/bin/python3 -u -c '
import socket
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.connect(("127.0.0.1", 53))
refused = 0
for number in range(20000):
    name = b"silent%d" % number
    asking.send(b"\0\1\1\0\0\1\0\0\0\0\0\0" + bytes([len(name)]) + name + b"\4test\0\0\1\0\1")
    # A question may be lost on its way, where they come faster than they are read.
    asking.settimeout(0.05 if refused == 0 and number > 1000 else 0)
    try:
        refused += asking.recv(512)[3] & 15 == 2
    except (BlockingIOError, TimeoutError):
        pass
print("flooded", refused > 0)
asking.setblocking(True)
while True:
    asking.recv(512)
')"));
    host.programs.wait_for_output(1'000, "flooded True");
    CHECK(host.said(kCurl + "http://allowed.test/") == "hello from 5.5.5.2");
    CHECK(host.record() == "allowed.test 5.5.5.2:80 ok\n");
    host.programs.berthd->send(ipc::Cancel{1'000, 1});
    CHECK(host.programs.ended(1'000).kind == ipc::EndKind::cancelled);
    // One record, and one that says how many times more.
    CHECK(
        host.record(1'000).starts_with(" :0 too many names are looked up at once\n"
                                       " :0 too many names are looked up at once ("));
    CHECK(host.record(1'000).size() < 200);
}
