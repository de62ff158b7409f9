// Network egress as scripts meet it: real programs in real sandboxes, on a stand-in
// host with a world around it (test_network.h).
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <iostream>

#include "base/error.h"
#include "base/loop/child.h"
#include "base/loop/stream.h"
#include "tests/egress/test_network.h"
#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::egress_test;

namespace {

// berth-egress at a socket of its own, as the supervisor starts it.
class Egress {
public:
    explicit Egress(std::vector<std::string> options) : options_{std::move(options)} {
        std::filesystem::permissions(folder_.path(), std::filesystem::perms{0711});
        auto bound = Listener::bind(path(), 0666, SOCK_SEQPACKET);
        REQUIRE(bound);
        listening_ = std::move(*bound);
    }
    std::string path() const { return folder_.path() / "egress.sock"; }
    void start(Loop& loop, uid_t runner_uid) {
        constexpr int kFd = 3;
        ChildOptions starting;
        starting.argv = {BERTH_BINARY_DIR "/bin/berth-egress", "--listen-fd", std::to_string(kFd),
                         "--runner-uid", std::to_string(runner_uid)};
        starting.argv.insert(starting.argv.end(), options_.begin(), options_.end());
        starting.fds = {{listening_.get(), kFd}};
        starting.uid = kUid;
        starting.gid = kUid;
        starting.drop_capabilities = true;
        program = std::make_unique<Child>(loop, starting, [this](int) { ended = true; });
    }
    std::unique_ptr<Child> program;
    bool ended = false;

private:
    static constexpr uid_t kUid = 64'321;
    std::vector<std::string> options_;
    TempDir folder_{"egress"};
    Fd listening_;
};

class Host {
public:
    explicit Host(const std::vector<std::string>& options = {})
        : egress{options}, programs{{"--egress-socket", egress.path()}} {
        std::ofstream{programs.release() / "ca.pem"} << net.ca();
        start_egress();
        run_until(programs.loop, [this] { return programs.heard.hellos.back().egress_present; });
    }
    ~Host() { egress.program.reset(); }  // before the loop
    void start_egress() { egress.start(programs.loop, programs.runner_uid()); }

    ipc::Start script(std::int64_t run, const std::string& text,
                      std::vector<std::string> names = {}) const {
        ipc::Start start = programs.script(run, text);
        start.network = static_cast<std::uint32_t>(ipc::Network::egress);
        start.egress_names = std::move(names);
        start.env.emplace_back("CURL_CA_BUNDLE=/app/ca.pem");
        start.env.emplace_back("SSL_CERT_FILE=/app/ca.pem");
        start.env.emplace_back("NODE_EXTRA_CA_CERTS=/app/ca.pem");
        return start;
    }
    // What it printed; on stderr too when it failed.
    std::string said(const std::string& text, std::vector<std::string> names = {}) {
        const auto run = ++last_run;
        const auto& ended = programs.run(script(run, text, std::move(names)));
        INFO(ended.text);
        REQUIRE(ended.kind == ipc::EndKind::exited);
        return programs.out(run) + (ended.number == 0 ? "" : programs.err(run));
    }
    // The record of the last run, a line each: `name address:port refused`.
    std::string record() const { return record(last_run); }
    std::string record(std::int64_t run) const {
        std::string text;
        for (const auto& made : programs.heard.connections)
            if (made.run_id == run)
                text += fmt::format("{} {}:{} {}\n", made.name, made.address, made.port,
                                    made.refused.empty() ? "ok" : made.refused);
        return text;
    }

    TestNetwork net;
    Egress egress;
    RealPrograms programs;
    std::int64_t last_run = 0;
};

const std::string kCurl = "curl -sS --max-time 120 ";
// Exits 0 when the address answers a request, with its number of bytes.
const std::string kFetchAddress = kCurl + "-o /dev/null -w '%{http_code}' ";

}  // namespace

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
