#include "daemon/supervisor.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop/child.h"
#include "base/loop/loop.h"
#include "base/loop/signals.h"
#include "base/loop/stream.h"
#include "base/loop/timer.h"
#include "daemon/command_lines.h"
#include "daemon/descriptor_keeper.h"
#include "daemon/kept_program.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr int kListenFd = 3;  // as systemd's socket activation hands it over
constexpr int kConfigFd = 4;
constexpr int kPublicFd = 5;
constexpr auto kStopTime = 30s;  // for each; for berthd beyond its own stop_grace

std::optional<std::pair<uid_t, gid_t>> user_named(const char* name) {
    const passwd* entry = ::getpwnam(name);
    if (entry == nullptr) return {};
    return std::pair{entry->pw_uid, entry->pw_gid};
}

void give(const std::filesystem::path& path, uid_t uid, gid_t gid, mode_t mode) {
    std::filesystem::create_directories(path);
    // Not through a link that somebody could have put there.
    const Fd fd{check(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                      "opening '{}'", path.string())};
    if (::geteuid() == 0) check(::fchown(fd.get(), uid, gid), "giving away '{}'", path.string());
    check(::fchmod(fd.get(), mode), "setting the mode of '{}'", path.string());
}

// It lies in the runner's own folder: a runner that was taken over could have put a link
// to somebody else's file there, to be given that.
void give_root_key(const std::filesystem::path& path, const DaemonIds& ids) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (!fd && (errno == ENOENT || errno == ELOOP)) return;  // the runner says what is wrong
    check(fd.get(), "opening the root key '{}'", path.string());
    struct stat status {};
    check(::fstat(fd.get(), &status), "looking at the root key '{}'", path.string());
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid == ids.runner_uid) return;
    check(::fchown(fd.get(), ids.runner_uid, ids.runner_gid), "giving the root key to the runner");
}

// Whoever was killed a moment ago, or a child of his, may still be dying with the socket in his
// hands: he is waited for, three seconds in all.
Fd listen_for(const std::filesystem::path& path, unsigned mode, uid_t uid, gid_t gid, int type) {
    auto fd = Listener::bind(path, mode, type);
    for (auto pause = 100ms; !fd && pause <= 1600ms; pause *= 2) {
        std::this_thread::sleep_for(pause);
        fd = Listener::bind(path, mode, type);
    }
    if (!fd) throw std::runtime_error{fd.error().message};
    if (::geteuid() == 0)
        check(::lchown(path.c_str(), uid, gid), "giving away '{}'", path.string());
    return std::move(*fd);
}

// Eight or so for each live run are kept for the runner.
void raise_file_limit() {
    rlimit files{};
    check(::getrlimit(RLIMIT_NOFILE, &files), "reading the limit of open files");
    files.rlim_cur = files.rlim_max;
    check(::setrlimit(RLIMIT_NOFILE, &files), "raising the limit of open files");
}

std::filesystem::path program(const char* name) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

}  // namespace

DaemonIds choose_ids(const Config& config) {
    if (::geteuid() != 0)
        return {::geteuid(), ::getegid(), ::geteuid(), ::getegid(), ::geteuid(), ::getegid()};
    const auto daemon = user_named("berth").value_or(std::pair{config.first_uid, config.first_uid});
    const auto runner =
        user_named("berth-runner").value_or(std::pair{config.first_uid + 1, config.first_uid + 1});
    const auto egress =
        user_named("berth-egress").value_or(std::pair{config.first_uid + 2, config.first_uid + 2});
    return {config.daemon_uid.value_or(daemon.first),
            config.daemon_uid.value_or(daemon.second),
            config.runner_uid.value_or(runner.first),
            config.runner_uid.value_or(runner.second),
            egress.first,
            egress.second};
}

void prepare_folders(const Config& config, const DaemonIds& ids) {
    const uid_t self = ::geteuid();
    give(config.state_dir, self, ::getegid(), 0711);  // passed through, not listed
    give(config.store_dir(), ids.daemon_uid, ids.daemon_gid, 0700);
    // Reached by name, as the launcher does (it has no DAC override); listed by nobody else.
    give(config.releases_dir, ids.daemon_uid, ids.daemon_gid, 0711);
    give(config.root_key.parent_path(), ids.runner_uid, ids.runner_gid, 0700);
    give(config.anchors_dir(), ids.runner_uid, ids.runner_gid, 0700);
    if (self == 0) give_root_key(config.root_key, ids);
    if (self == 0)
        for (const auto& previous : config.previous_root_keys)
            give_root_key(previous, ids);
    give(config.run_dir, self, ::getegid(), 0755);
}

int supervise(const Config& config, const std::filesystem::path& config_file) {
    const DaemonIds ids = choose_ids(config);
    prepare_folders(config, ids);
    // Control: anybody may connect, the peer's credentials decide. Public: anybody, without
    // any. The others: only the one program that speaks there.
    const Fd control =
        listen_for(config.control_socket(), 0666, ids.daemon_uid, ids.daemon_gid, SOCK_STREAM);
    const Fd open =
        listen_for(config.public_socket(), 0666, ids.daemon_uid, ids.daemon_gid, SOCK_STREAM);
    const Fd runner =
        listen_for(config.runner_socket(), 0600, ids.daemon_uid, ids.daemon_gid, SOCK_SEQPACKET);
    const Fd launcher =
        listen_for(config.launcher_socket(), 0600, ids.runner_uid, ids.runner_gid, SOCK_SEQPACKET);

    const Fd egress =
        listen_for(config.egress_socket(), 0600, ids.runner_uid, ids.runner_gid, SOCK_SEQPACKET);

    raise_file_limit();
    Loop loop;
    const SystemClock clock;
    const std::vector<std::string> env{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
    const auto command = [](const char* name, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), program(name).string());
        return arguments;
    };
    ChildOptions launcher_options;
    launcher_options.argv =
        command("berth-launcher", launcher_arguments(config, kListenFd, ids.runner_uid));
    launcher_options.env = env;
    launcher_options.fds = {{launcher.get(), kListenFd}};

    ChildOptions runner_options;
    runner_options.argv =
        command("berth-runner", runner_arguments(config, kListenFd, ids.daemon_uid));
    runner_options.env = env;
    runner_options.fds = {{runner.get(), kListenFd}};

    ChildOptions egress_options;
    egress_options.argv =
        command("berth-egress", egress_arguments(config, kListenFd, ids.runner_uid));
    egress_options.env = env;
    egress_options.fds = {{egress.get(), kListenFd}};

    ChildOptions daemon_options;
    // By descriptor: its user may not be allowed to walk to the file.
    const Fd config_fd{check(::open(config_file.c_str(), O_RDONLY | O_CLOEXEC), "opening '{}'",
                             config_file.string())};
    daemon_options.argv =
        command("berthd", {"--config", fmt::format("/proc/self/fd/{}", kConfigFd), "--listen-fd",
                           std::to_string(kListenFd), "--public-fd", std::to_string(kPublicFd)});
    daemon_options.env = env;
    daemon_options.fds = {
        {control.get(), kListenFd}, {config_fd.get(), kConfigFd}, {open.get(), kPublicFd}};
    if (::geteuid() == 0) {
        runner_options.uid = ids.runner_uid;
        runner_options.gid = ids.runner_gid;
        runner_options.drop_capabilities = true;
        egress_options.uid = ids.egress_uid;
        egress_options.gid = ids.egress_gid;
        egress_options.drop_capabilities = true;
        daemon_options.uid = ids.daemon_uid;
        daemon_options.gid = ids.daemon_gid;
        daemon_options.drop_capabilities = true;
    }

    // What a live run needs outlives its runner here, and ends with us.
    DescriptorKeeper keeper{loop, config.run_dir / "runner-notify.sock", ids.runner_uid,
                            ids.runner_gid};
    int code = 0;
    std::function<void()> stop_all;
    const auto refused = [&] {
        code = KeptProgram::kRefused;
        stop_all();
    };
    KeptProgram launcher_program{loop, clock, "berth-launcher", [&] { return launcher_options; },
                                 refused};
    KeptProgram egress_program{loop, clock, "berth-egress", [&] { return egress_options; },
                               refused};
    KeptProgram runner_program{loop, clock, "berth-runner",
                               [&] { return keeper.with_kept(runner_options); }, refused};
    KeptProgram daemon_program{loop, clock, "berthd", [&] { return daemon_options; }, refused};
    launcher_program.start();
    egress_program.start();
    runner_program.start();
    daemon_program.start();

    // berthd first, so that it can put its runs in order while the others serve it: with
    // SIGTERM it would leave them to the runner.
    KeptProgram* ending = &daemon_program;
    Timer too_long{loop, [&] { ending->kill(); }};
    const auto end = [&](KeptProgram& program, int signo, std::chrono::milliseconds time,
                         std::function<void()> gone) {
        ending = &program;
        too_long.start(time);
        program.stop(signo, std::move(gone));
    };
    // Takes a right that the launcher has given up.
    std::unique_ptr<Child> removing;
    const auto remove_groups = [&] {
        ChildOptions options;
        options.argv = {program("berth-launcher").string(), "--remove-groups"};
        options.env = env;
        try {
            removing = std::make_unique<Child>(loop, options, [&](int) { loop.stop(); });
        } catch (const SystemError& error) {
            log_warning(error.what());
            loop.stop();
        }
    };
    bool stopping = false;
    stop_all = [&] {
        if (std::exchange(stopping, true)) return;
        end(daemon_program, SIGINT, config.stop_grace + kStopTime, [&] {
            end(runner_program, SIGTERM, kStopTime, [&] {
                end(egress_program, SIGTERM, kStopTime,
                    [&] { end(launcher_program, SIGTERM, kStopTime, remove_groups); });
            });
        });
    };
    const Signals signals{loop, {SIGTERM, SIGINT}, [&](int) { stop_all(); }};
    loop.run();
    ::unlink(config.control_socket().c_str());
    ::unlink(config.public_socket().c_str());
    ::unlink(config.runner_socket().c_str());
    ::unlink(config.launcher_socket().c_str());
    ::unlink(config.egress_socket().c_str());
    return code;
}

}  // namespace berth
