// The program berth-runner: arguments, hardening of its own process, and where its
// two connections come from. Everything else is in runner.h.
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor_store.h"
#include "base/error.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/loop/service.h"
#include "base/loop/signals.h"
#include "base/loop/stream.h"
#include "base/loop/timer.h"
#include "base/out_of_memory.h"
#include "base/pipe.h"
#include "base/text.h"
#include "base/undumpable.h"
#include "model/limits.h"
#include "sandbox/runner/left_run.h"
#include "sandbox/runner/runner.h"
#include "vault/root_key.h"
#include "vault/root_key_command.h"

namespace berth::runner {
namespace {

constexpr const char* kUsage =
    "usage: berth-runner KEY --state-dir DIR DAEMON LAUNCHER [EGRESS]\n"
    "  KEY        --root-key FILE | --root-key-credential FILE | --root-key-command 'PATH ARG "
    "...'\n"
    "             the second as systemd gives it, the third prints it\n"
    "             --previous-root-key FILE          any number; they only open\n"
    "  DAEMON     --daemon-fd N                     a connected socket; its end is our end\n"
    "             --listen-fd N --daemon-uid UID    a listening socket, one berthd at a time\n"
    "             --socket PATH --daemon-uid UID    the same, made here\n"
    "  LAUNCHER   --launcher-fd N                   a connected socket\n"
    "             --launcher-socket PATH            connected to, and again when it is lost\n"
    "  EGRESS     --egress-fd N | --egress-socket PATH   likewise; none: no run with egress\n"
    "  --state-dir is where the store lies: a root key below it is refused\n"
    "  --anchors DIR is where it remembers how often secrets were changed\n";

// Sockets are SOCK_SEQPACKET; descriptors are handed over by whoever starts us.
struct Options {
    std::filesystem::path root_key;
    std::filesystem::path root_key_credential;
    std::string root_key_command;
    std::vector<std::filesystem::path> previous_root_keys;
    std::filesystem::path anchors;
    std::filesystem::path state_dir;
    std::filesystem::path socket;
    std::filesystem::path launcher_socket;
    std::optional<int> daemon_fd;
    std::optional<int> listen_fd;
    std::optional<int> launcher_fd;
    std::filesystem::path egress_socket;
    std::optional<int> egress_fd;
    std::optional<uid_t> daemon_uid;

    bool complete() const {
        const int daemons =
            int{daemon_fd.has_value()} + int{listen_fd.has_value()} + int{!socket.empty()};
        const int launchers = int{launcher_fd.has_value()} + int{!launcher_socket.empty()};
        const int keys = int{!root_key.empty()} + int{!root_key_credential.empty()} +
                         int{!root_key_command.empty()};
        return keys == 1 && !state_dir.empty() && daemons == 1 && launchers == 1 &&
               (daemon_fd || daemon_uid);
    }
};

std::optional<Options> parse(int argc, char** argv) {
    enum Name : int {
        root_key = 1,
        root_key_credential,
        root_key_command,
        previous_root_key,
        anchors,
        state_dir,
        socket,
        launcher_socket,
        daemon_fd,
        listen_fd,
        launcher_fd,
        egress_socket,
        egress_fd,
        daemon_uid
    };
    const option names[] = {
        {"root-key", required_argument, nullptr, root_key},
        {"root-key-credential", required_argument, nullptr, root_key_credential},
        {"root-key-command", required_argument, nullptr, root_key_command},
        {"previous-root-key", required_argument, nullptr, previous_root_key},
        {"anchors", required_argument, nullptr, anchors},
        {"state-dir", required_argument, nullptr, state_dir},
        {"socket", required_argument, nullptr, socket},
        {"launcher-socket", required_argument, nullptr, launcher_socket},
        {"daemon-fd", required_argument, nullptr, daemon_fd},
        {"listen-fd", required_argument, nullptr, listen_fd},
        {"launcher-fd", required_argument, nullptr, launcher_fd},
        {"egress-socket", required_argument, nullptr, egress_socket},
        {"egress-fd", required_argument, nullptr, egress_fd},
        {"daemon-uid", required_argument, nullptr, daemon_uid},
        {}};
    Options options;
    for (int name = 0; (name = ::getopt_long(argc, argv, "", names, nullptr)) != -1;) {
        switch (name) {
            case root_key: options.root_key = optarg; break;
            case root_key_credential: options.root_key_credential = optarg; break;
            case root_key_command: options.root_key_command = optarg; break;
            case previous_root_key: options.previous_root_keys.emplace_back(optarg); break;
            case anchors: options.anchors = optarg; break;
            case state_dir: options.state_dir = optarg; break;
            case socket: options.socket = optarg; break;
            case launcher_socket: options.launcher_socket = optarg; break;
            case daemon_fd: options.daemon_fd = to_number<int>(optarg); break;
            case listen_fd: options.listen_fd = to_number<int>(optarg); break;
            case launcher_fd: options.launcher_fd = to_number<int>(optarg); break;
            case egress_socket: options.egress_socket = optarg; break;
            case egress_fd: options.egress_fd = to_number<int>(optarg); break;
            case daemon_uid: options.daemon_uid = to_number<uid_t>(optarg); break;
            default: return {};
        }
    }
    if (optind != argc || !options.complete()) return {};
    return options;
}

void settle() {
    make_undumpable();
    rlimit files{};  // each live run has seven descriptors here, and its listeners
    check(::getrlimit(RLIMIT_NOFILE, &files), "reading the limit of open files");
    files.rlim_cur = files.rlim_max;
    check(::setrlimit(RLIMIT_NOFILE, &files), "raising the limit of open files");
}

Fd inherited(int fd) {
    check(::fcntl(fd, F_SETFD, FD_CLOEXEC), "taking over descriptor {}", fd);
    return Fd{fd};
}

// Where berthd comes from: one at a time, and only the user it must be.
class DaemonSource {
public:
    DaemonSource(Loop& loop, Fd listening, uid_t allowed, std::function<void(Fd)> on_daemon)
        : allowed_{allowed},
          on_daemon_{std::move(on_daemon)},
          listener_{loop, std::move(listening),
                    [this](Fd connected) { accepted(std::move(connected)); }} {}

    void wait_for_next() { listener_.resume(); }

private:
    void accepted(Fd connected) {
        ucred peer{};
        socklen_t size = sizeof peer;
        check(::getsockopt(connected.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size),
              "asking who the peer is");
        if (peer.uid != allowed_) {
            log_warning("a connection of another user than berthd's, refused",
                        {{"uid", peer.uid}, {"allowed", allowed_}});
            return;
        }
        listener_.pause();
        on_daemon_(std::move(connected));
    }

    uid_t allowed_;
    std::function<void(Fd)> on_daemon_;
    Listener listener_;
};

// The connection to another daemon, looked for again while it is lost.
class Connector {
public:
    Connector(Loop& loop, std::filesystem::path socket, std::function<void(Fd)> on_connected)
        : socket_{std::move(socket)}, on_connected_{std::move(on_connected)}, retry_{loop, [this] {
                                                                                         connect();
                                                                                     }} {}

    void connect() {
        try {
            on_connected_(connect_unix(socket_, SOCK_SEQPACKET));
        } catch (const SystemError&) {
            lost();  // berthd knows by our Hello; a line per try would help nobody
        }
    }
    void lost() { retry_.start(limits::kReconnectTime); }

private:
    std::filesystem::path socket_;
    std::function<void(Fd)> on_connected_;
    Timer retry_;
};

Result<vault::RootKey> load_root_key(const Options& options) {
    if (!options.root_key_credential.empty())
        return vault::load_root_key_credential(options.root_key_credential, ::geteuid());
    if (options.root_key_command.empty())
        return vault::load_root_key(options.root_key, ::geteuid(), options.state_dir);
    const auto words = vault::parse_root_key_command(options.root_key_command);
    if (!words) return tl::unexpected<Failure>{words.error()};
    return vault::load_root_key_command(*words);
}

// One that cannot be read is not missed until something needs it.
std::vector<vault::RootKey> load_previous_root_keys(const Options& options) {
    std::vector<vault::RootKey> previous;
    for (const auto& path : options.previous_root_keys) {
        auto key = vault::load_root_key(path, ::geteuid(), options.state_dir);
        if (key)
            previous.push_back(std::move(*key));
        else
            log_warning("a previous root key is not used", {{"why", key.error().message}});
    }
    return previous;
}

Keys load_keys(const Options& options) {
    Keys keys{load_root_key(options), load_previous_root_keys(options)};
    if (!options.anchors.empty()) keys.keep_anchors_in(options.anchors);
    return keys;
}

int run(const Options& options) {
    settle();
    auto left = DescriptorStore::inherited(kStoredPrefix);
    const SecretMemory memory = lock_secret_memory(limits::kSecretMemoryBytes);
    if (memory == SecretMemory::unlocked)
        log_warning("secrets are in memory that can be swapped out; raise LimitMEMLOCK=");
    Keys keys = load_keys(options);
    if (!keys.why().empty())
        log_error("there is no root key, no run can start", {{"why", keys.why()}});

    Loop loop;
    Service service{loop};
    const SystemClock clock;
    std::optional<DaemonSource> daemons;
    std::optional<Connector> launchers;
    std::optional<Connector> egresses;
    Runner runner{loop,
                  clock,
                  std::move(keys),
                  memory,
                  {[&] { daemons ? daemons->wait_for_next() : loop.later([&] { loop.stop(); }); },
                   [&] {
                       if (launchers) launchers->lost();
                   },
                   [&] {
                       if (egresses) egresses->lost();
                   }},
                  DescriptorStore::from_environment()};
    runner.take_left(std::move(left));
    // Ctrl-C in a terminal goes to us too; what it means is berthd's to decide.
    ::signal(SIGINT, SIG_IGN);
    const Signals signals{loop, {SIGTERM, SIGHUP}, [&](int signo) {
                              if (signo == SIGHUP)
                                  return runner.take_root_keys(load_root_key(options),
                                                               load_previous_root_keys(options));
                              service.stopping("stopping");
                              runner.leave([&] { loop.later([&] { loop.stop(); }); });
                          }};

    if (options.launcher_fd) {
        runner.attach_launcher(inherited(*options.launcher_fd));
    } else {
        launchers.emplace(loop, options.launcher_socket,
                          [&](Fd connected) { runner.attach_launcher(std::move(connected)); });
        launchers->connect();
    }
    if (options.egress_fd) {
        runner.attach_egress(inherited(*options.egress_fd));
    } else if (!options.egress_socket.empty()) {
        egresses.emplace(loop, options.egress_socket,
                         [&](Fd connected) { runner.attach_egress(std::move(connected)); });
        egresses->connect();
    }
    const auto serve = [&](Fd connected) { runner.serve_daemon(std::move(connected)); };
    if (options.daemon_fd) {
        serve(inherited(*options.daemon_fd));
    } else {
        auto listening = options.listen_fd ? Result<Fd>{inherited(*options.listen_fd)}
                                           : Listener::bind(options.socket, 0600, SOCK_SEQPACKET);
        if (!listening) {
            log_error("cannot listen", {{"why", listening.error().message}});
            return 1;
        }
        daemons.emplace(loop, std::move(*listening), *options.daemon_uid, serve);
    }
    service.ready("serving berthd");
    try {
        loop.run();
    } catch (...) {
        runner.leave_now();  // a mistake of ours is no reason to end what runs
        throw;
    }
    return 0;
}

}  // namespace
}  // namespace berth::runner

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view{argv[1]} == "--help")
        return std::fputs(berth::runner::kUsage, stdout) < 0 ? 1 : 0;
    const auto options = berth::runner::parse(argc, argv);
    if (!options) {
        std::fputs(berth::runner::kUsage, stderr);
        return 2;
    }
    berth::end_when_out_of_memory("berth-runner");
    berth::log_to_journal("berth-runner", berth::LogLevel::info);
    try {
        return berth::runner::run(*options);
    } catch (const std::exception& error) {
        berth::log_error("berth-runner cannot go on", {{"why", error.what()}});
        return 1;
    }
}
