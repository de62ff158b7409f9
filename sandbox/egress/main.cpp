// The program berth-egress: arguments, hardening of its own process, and where runners
// come from. It has a user of its own and no rights; what it is for is in server.h.
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/loop/service.h"
#include "base/loop/signals.h"
#include "base/loop/stream.h"
#include "base/out_of_memory.h"
#include "base/text.h"
#include "base/undumpable.h"
#include "sandbox/egress/confine.h"
#include "sandbox/egress/server.h"

namespace berth::egress {
namespace {

constexpr const char* kUsage =
    "usage: berth-egress (--listen-fd N | --socket PATH | --runner-fd N) --runner-uid UID\n"
    "           [--allow ENTRY]... [--ports LIST]\n"
    "  --listen-fd N      a listening SOCK_SEQPACKET socket, from berthd or systemd\n"
    "  --socket PATH      where to listen for the runner\n"
    "  --runner-fd N      a connected one; its end is our end\n"
    "  --runner-uid UID   who may connect (with --listen-fd and --socket)\n"
    "  --allow ENTRY      what scripts may reach besides public addresses: a host name ('*.'\n"
    "                     in front for all below it), an address or a network, each with\n"
    "                     ':PORT' for one port of it\n"
    "  --ports LIST       the only ports they reach, as in '80,443'; without it, any but 25\n";

struct Options {
    std::filesystem::path socket;
    std::optional<int> listen_fd;
    std::optional<int> runner_fd;
    std::optional<uid_t> runner_uid;
    Rules rules;

    bool complete() const {
        const int ways =
            int{!socket.empty()} + int{listen_fd.has_value()} + int{runner_fd.has_value()};
        return ways == 1 && (runner_fd || runner_uid);
    }
};

bool parse_ports(std::string_view text, std::vector<std::uint16_t>& ports) {
    for (const auto& part : split(text, ',')) {
        const auto port = to_number<std::uint16_t>(part);
        if (!port || *port == 0) return false;
        ports.push_back(*port);
    }
    return true;
}

bool complain(const std::string& why) {
    std::fprintf(stderr, "berth-egress: %s\n", why.c_str());
    return false;
}

bool parse(int argc, char** argv, Options& options) {
    enum Name : int { socket = 1, listen_fd, runner_fd, runner_uid, allow, ports };
    const option names[] = {{"socket", required_argument, nullptr, socket},
                            {"listen-fd", required_argument, nullptr, listen_fd},
                            {"runner-fd", required_argument, nullptr, runner_fd},
                            {"runner-uid", required_argument, nullptr, runner_uid},
                            {"allow", required_argument, nullptr, allow},
                            {"ports", required_argument, nullptr, ports},
                            {}};
    for (int name = 0; (name = ::getopt_long(argc, argv, "", names, nullptr)) != -1;) {
        switch (name) {
            case socket: options.socket = optarg; break;
            case listen_fd: options.listen_fd = to_number<int>(optarg); break;
            case runner_fd: options.runner_fd = to_number<int>(optarg); break;
            case runner_uid: options.runner_uid = to_number<uid_t>(optarg); break;
            case allow: {
                auto entry = parse_allow(optarg);
                if (!entry) return complain(entry.error().message);
                options.rules.allow.push_back(std::move(*entry));
                break;
            }
            case ports:
                if (!parse_ports(optarg, options.rules.ports))
                    return complain(fmt::format("'{}' is no list of ports", optarg));
                break;
            default: std::fputs(kUsage, stderr); return false;
        }
    }
    if (optind == argc && options.complete()) return true;
    std::fputs(kUsage, stderr);
    return false;
}

void settle() {
    make_undumpable();
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "forbidding new privileges");
    rlimit files{};  // each connection has two descriptors here
    check(::getrlimit(RLIMIT_NOFILE, &files), "reading the limit of open files");
    files.rlim_cur = files.rlim_max;
    check(::setrlimit(RLIMIT_NOFILE, &files), "raising the limit of open files");
    // Before the first thread: the resolver blocks one for each name being looked up, and
    // libuv lets it have half of them.
    check(::setenv("UV_THREADPOOL_SIZE", "128", /*overwrite=*/1), "sizing the thread pool");
    // A name is what it says: the host's search list would make others of it.
    check(::setenv("LOCALDOMAIN", "", /*overwrite=*/1), "leaving the search list out");
}

Fd inherited(int fd) {
    check(::fcntl(fd, F_SETFD, FD_CLOEXEC), "taking over descriptor {}", fd);
    return Fd{fd};
}

bool may_connect(const Fd& connected, uid_t allowed) {
    ucred peer{};
    socklen_t size = sizeof peer;
    check(::getsockopt(connected.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size),
          "asking who the peer is");
    if (peer.uid == allowed) return true;
    log_warning("a connection of another user than berth-runner's, refused",
                {{"uid", peer.uid}, {"allowed", allowed}});
    return false;
}

int run(Options options) {
    settle();
    Loop loop;
    Service service{loop};
    const SystemClock clock;
    Server server{loop, clock, std::move(options.rules), [&] {
                      if (options.runner_fd) loop.stop();
                  }};
    ::signal(SIGINT, SIG_IGN);  // Ctrl-C in a terminal goes to us too
    ::signal(SIGHUP, SIG_IGN);
    const Signals signals{loop, {SIGTERM}, [&](int) {
                              service.stopping("stopping");
                              loop.stop();
                          }};
    std::optional<Listener> listener;
    if (options.runner_fd) {
        server.serve(inherited(*options.runner_fd));
    } else {
        auto listening = options.listen_fd ? Result<Fd>{inherited(*options.listen_fd)}
                                           : Listener::bind(options.socket, 0666, SOCK_SEQPACKET);
        if (!listening) {
            log_error("cannot listen", {{"why", listening.error().message}});
            return 1;
        }
        listener.emplace(loop, std::move(*listening), [&](Fd connected) {
            if (may_connect(connected, *options.runner_uid)) server.serve(std::move(connected));
        });
    }
    service.ready("serving berth-runner");
    confine();  // nothing is opened any more, and no thread runs yet
    loop.run();
    return 0;
}

}  // namespace
}  // namespace berth::egress

#ifdef __SANITIZE_ADDRESS__
// Its search for leaks at exit uses ptrace, which an undumpable program refuses.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view{argv[1]} == "--help")
        return std::fputs(berth::egress::kUsage, stdout) < 0 ? 1 : 0;
    berth::egress::Options options;
    if (!berth::egress::parse(argc, argv, options)) return 2;
    berth::end_when_out_of_memory("berth-egress");
    berth::log_to_journal("berth-egress", berth::LogLevel::info);
    try {
        return berth::egress::run(std::move(options));
    } catch (const std::exception& error) {
        berth::log_error("berth-egress cannot go on", {{"why", error.what()}});
        return 1;
    }
}
