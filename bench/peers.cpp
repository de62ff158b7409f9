#include "bench/peers.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"

namespace berth::bench {
namespace {

using Words = std::vector<std::string>;

Words joined(Words first, const Words& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

Words bubblewrap(const std::string& bwrap, const Bundle& bundle) {
    return {bwrap,           "--unshare-all", "--die-with-parent",
            "--new-session", "--clearenv",    "--setenv",
            "PATH",          "/usr/bin:/bin", "--cap-drop",
            "ALL",           "--uid",         "1000",
            "--gid",         "1000",          "--hostname",
            "bench",         "--ro-bind",     "/usr",
            "/usr",          "--symlink",     "usr/bin",
            "/bin",          "--symlink",     "usr/lib",
            "/lib",          "--symlink",     "usr/lib64",
            "/lib64",        "--ro-bind",     (bundle.root() / "app").string(),
            "/app",          "--proc",        "/proc",
            "--dev",         "/dev",          "--tmpfs",
            "/tmp",          "--tmpfs",       "/work",
            "--chdir",       "/app"};
}

std::string fresh_name() {
    static std::atomic<unsigned> count{0};
    return fmt::format("berth-bench-{}-{}", ::getpid(), count++);
}

Peer oci_peer(std::string name, const std::string& runtime, const std::string& folder) {
    return {std::move(name), [runtime, folder] {
                return Command{{runtime, "run", "--bundle", folder, fresh_name()}};
            }};
}

// As much like the others as it can be: not booted, no init, no group of its own. What stays
// its own: it has no user namespace here (the root is not its to shift), its list of allowed
// calls cannot be replaced, it mounts /sys and /dev, and it locks and later removes
// folders of its own below /run.
Words nspawn(const std::string& program, const Bundle& bundle) {
    return {program,
            "--quiet",
            "--pipe",
            "--register=no",
            "--keep-unit",
            "--machine",
            fresh_name(),
            "--directory",
            bundle.root().string(),
            "--volatile=no",
            "--read-only",
            "--bind-ro=/usr",
            "--tmpfs=/tmp",
            "--tmpfs=/work",
            "--private-network",
            "--drop-capability=all",
            "--no-new-privileges=yes",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--setenv=PATH=/usr/local/bin:/usr/bin:/bin",
            "--chdir=/app"};
}

void add_if_it_works(std::vector<Peer>& peers, Peer peer, const Bundle& bundle) {
    Command command = peer.command();
    command.errors = bundle.errors_file();
    try {
        (void)run_command(command);
        peers.push_back(std::move(peer));
    } catch (const std::exception& failure) {
        std::ifstream errors{command.errors};
        const std::string said{std::istreambuf_iterator<char>{errors}, {}};
        fmt::print("{} is left out: {}\n{}", peer.name, failure.what(), said);
    }
    std::filesystem::remove(command.errors);
}

}  // namespace

std::vector<Peer> peers_for(Bundle& bundle, const Words& argv) {
    std::vector<Peer> peers;
    const auto found = [](const char* name) {
        auto path = program_on_path(name);
        if (path.empty()) fmt::print("{} is not installed: left out\n", name);
        return path;
    };
    if (const auto bwrap = found("bwrap"); !bwrap.empty()) {
        const Command plain{joined(bubblewrap(bwrap, bundle), argv)};
        add_if_it_works(peers, {"bubblewrap", [plain] { return plain; }}, bundle);
        Command filtered{joined(bubblewrap(bwrap, bundle),
                                joined({"--seccomp", std::to_string(kGivenFile)}, argv))};
        filtered.given_file = bundle.filter_file();
        add_if_it_works(peers, {"bubblewrap, seccomp", [filtered] { return filtered; }}, bundle);
    }
    for (const char* name : {"crun", "runc"}) {
        const auto runtime = found(name);
        if (runtime.empty()) continue;
        add_if_it_works(peers, oci_peer(name, runtime, bundle.oci(argv, false)), bundle);
        add_if_it_works(
            peers,
            oci_peer(fmt::format("{}, userns, seccomp", name), runtime, bundle.oci(argv, true)),
            bundle);
    }
    if (const auto program = found("systemd-nspawn"); !program.empty())
        add_if_it_works(
            peers,
            {"systemd-nspawn",
             [program, &bundle, argv] { return Command{joined(nspawn(program, bundle), argv)}; }},
            bundle);
    return peers;
}

void hide_refusing_cgroups(Precedence precedence) {
    std::vector<const char*> trees{"/sys/fs/cgroup/unified"};
    if (precedence == Precedence::real_time) trees.push_back("/sys/fs/cgroup/cpu");
    std::erase_if(trees, [](const char* tree) { return !std::filesystem::exists(tree); });
    if (trees.empty()) return;
    check(::unshare(CLONE_NEWNS), "making a mount namespace for the benchmark");
    check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "making mounts private");
    for (const char* tree : trees)
        check(::umount2(tree, MNT_DETACH), "hiding '{}'", tree);
}

}  // namespace berth::bench
