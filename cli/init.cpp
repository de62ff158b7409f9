// `berth init`: the state directory, the root key, the configuration.
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "cli/host.h"
#include "cli/root_key.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

// The directory with exactly this mode and owner, made if need be. No link is
// followed to it: a root that initialises must not be led astray.
Fd make_dir(const fs::path& path, mode_t mode, const Owner& owner) {
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        throw SystemError{errno, fmt::format("making the directory '{}'", path.string())};
    Fd dir{check(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                 "opening the directory '{}'", path.string())};
    check(::fchown(dir.get(), owner.uid, owner.gid), "giving '{}' to its owner", path.string());
    check(::fchmod(dir.get(), mode), "setting the mode of '{}'", path.string());
    return dir;
}

std::string config_text(const InitOptions& options) {
    const auto uid_line = [](const char* name, std::optional<uid_t> uid) {
        return uid ? fmt::format("{} = {}", name, *uid) : fmt::format("# {} = 990", name);
    };
    return fmt::format(
        R"(# Berth's configuration: lines of `key = value`. What is commented out shows the
# default. berthd reads it when it starts.

# Everything Berth keeps: store, releases, runtimes.
state_dir = {state}

# Its sockets; people and programs speak to control.sock in it.
run_dir = {run}

# The root key seals every secret. Keep a copy apart from the backups of state_dir.
root_key = {key}

# A program that prints it instead: 32 raw bytes or 64 hex digits, within 10 seconds. Its
# path and its arguments; there is no shell.
# root_key_command = /usr/local/sbin/berth-root-key --slot 3

# Files of root keys from before, with commas between them. They open what 'berth vault
# rotate --root' has not wrapped anew yet, and wrap nothing.
# previous_root_keys = {state}/keys/root-1.key

# Where frozen code lies, named by its content.
# releases_dir = {state}/releases

# Runs that may be live at once on this host; the others wait for their turn.
# max_runs = 16

# Runs that may begin in any minute, 0: no cap; and how many triggers may wait for their
# runs, on this host (more are answered 503) and for one tenant (429). The caps of an
# integration are in its policy: 'berth schedule policy'.
# max_starts_per_minute = 0
# max_waiting = 5000000
# max_tenant_waiting = 100000

# Whether schedules may name the second: a sixth field in front, or '@every 20s'.
# allow_seconds = no

# Users of the sandboxes: a pair of ids for each of the slots, from first_uid on. No
# account of this host may have one of these ids. slots is at least max_runs.
# first_uid = 1879048192
# slots = 64

# Who the daemons run as when root starts them; else the users 'berth' and
# 'berth-runner'.
{daemon}
{runner}

# How the memory, processes and processor time of a run as a whole are limited:
# 'auto' takes a delegated cgroup v2 folder where there is one, else cgroup v1, else
# limits each process by itself; 'none' does that at once; a path names the folder.
# cgroups = auto

# Whether nothing may run where that is not possible.
# require_cgroup = no

# How much of one processor a run may use, in percent (150: one and a half), and how
# many MiB a second it may read and write on the disk of the releases; 0: no limit. Both
# need a cgroup, the second cgroup v2 with its io controller; nothing runs where that is
# asked for and not there.
# cpu_percent = 0
# io_mib_per_second = 0

# 'strict' closes what scripts could still tell each other by, such as file locks; some
# programs need that.
# sandbox_profile = default

# Sandboxes that are kept ready for runs to come; 'auto' goes by the processors, 0: each
# is built when its run begins.
# pool_size = auto

# What scripts with network 'egress' reach besides public addresses: names, addresses
# and ranges, each with or without a port. May be repeated.
# egress_allow = 10.20.0.0/16:5432, printer.internal, 127.0.0.1:8080

# The ports they reach directly; others through the proxy (CONNECT) that every such
# script finds at 127.0.0.1:3128.
# egress_ports = 22, 80, 443, 465, 587, 993, 1433, 3306, 5432, 8443

# The address under which the world reaches the socket 'public.sock' in the run folder,
# through a web server of yours: webhooks, auth links and the way back of OAuth2. Without
# it none of these can be used.
# public_url = https://integrations.example.com

# How many deliveries an address of a webhook takes in a second (ten times as many at once
# after a quiet time), and how large one may be, in MiB.
# webhook_rate = 1000
# webhook_body_mib = 5

# A folder of connector kinds of your own (*.yaml), beside those that come with Berth. A
# reload reads it again.
# connector_kinds = /etc/berth/kinds

# What single integrations are let do beyond the plain sandbox; nobody gets any of it by
# the API. host_network: it may choose 'network: host', and then reaches all that this
# host reaches; writable_path: a folder of this host, at /data; extra_syscalls: by name.
# grant.* is for the integrations without a line of their own.
# grant.shop-sync = host_network
# grant.db-export = writable_path:/srv/exports, extra_syscalls:perf_event_open

# What scripts see as PAN_CTX_ENV.
# env_name = prod

# Whether another version of the runtime may be used than the manifest's base asks
# for. The release says so.
# allow_near_runtime = no

# How long live runs may end by themselves when Berth is stopped.
# stop_grace_seconds = 10

# How long ended runs, their triggers and their logs are kept; and how much of one
# tenant, whose oldest runs go earlier past that. What waits, and the audit trail, stay.
# retention_days = 30
# schedule_history_days = 30
# tenant_runs = 100000
# tenant_log_mib = 4096

# error, warning or info.
# log_level = info
)",
        fmt::arg("state", options.state_dir.string()), fmt::arg("run", options.run_dir.string()),
        fmt::arg("key", (options.state_dir / "keys" / "root.key").string()),
        fmt::arg("daemon", uid_line("daemon_uid", options.daemon_uid)),
        fmt::arg("runner", uid_line("runner_uid", options.runner_uid)));
}

Result<void> refuse_early(const InitOptions& options, const fs::path& key) {
    struct stat info {};
    if (::lstat(key.c_str(), &info) == 0)
        return fail(FailureKind::conflict,
                    "there is a root key at '{}' already, and nothing was changed; without it "
                    "every stored secret would be lost, so move it away yourself if you mean to",
                    key.string());
    if (::geteuid() != 0 && (options.daemon_uid || options.runner_uid))
        return fail(FailureKind::invalid,
                    "only root can give files to another user; leave out --daemon-uid and "
                    "--runner-uid, or use sudo");
    return {};
}

}  // namespace

Result<Exit> init(Session& session, const InitOptions& given) {
    InitOptions options = given;
    for (fs::path* path : {&options.state_dir, &options.config, &options.run_dir})
        *path = fs::absolute(*path).lexically_normal();
    const fs::path keys = options.state_dir / "keys";
    const fs::path key = keys / "root.key";
    if (auto good = refuse_early(options, key); !good) return pass_on(good);

    Owner daemon, runner;
    if (::geteuid() == 0) {
        daemon = owner_of(options.daemon_uid, "berth");
        runner = owner_of(options.runner_uid, "berth-runner");
        if (daemon.uid == Owner::kUnchanged || runner.uid == Owner::kUnchanged)
            session.remark(
                "there is no user 'berth' or 'berth-runner': 'berthd --all' will hand the folders "
                "to "
                "ids of its own (first_uid); else make the users, or give --daemon-uid and "
                "--runner-uid");
    }
    fs::create_directories(options.state_dir.parent_path());
    // Sandboxes mount releases and runtimes from here, under ids of their own.
    make_dir(options.state_dir, 0755, daemon);
    make_dir(options.state_dir / "store", 0700, daemon);
    make_dir(options.state_dir / "releases", 0711, daemon);
    make_dir(options.state_dir / "runtimes", 0755, daemon);
    const Fd keys_dir = make_dir(keys, 0700, runner);

    fs::create_directories(options.config.parent_path());
    const bool has_config = fs::exists(options.config);
    if (!has_config) write_file_atomically(options.config, config_text(options), 0644);
    const std::string id = make_root_key(keys_dir, key.filename().c_str(), runner);

    if (session.json()) {
        session.print(Json{{"state_dir", options.state_dir.string()},
                           {"root_key", key.string()},
                           {"root_key_id", id},
                           {"config", options.config.string()},
                           {"config_written", !has_config}});
        return Exit::ok;
    }
    Record record;
    record.line("state", options.state_dir.string());
    record.line("root key", fmt::format("{} (id {})", key.string(), id));
    record.line("config",
                options.config.string() + std::string{has_config ? " (was there; unchanged)" : ""});
    session.print(record);
    session.io.out << "\nBack up the root key now, apart from the backups of the state directory: "
                      "without it no\nstored secret can be read again, and with it and a backup "
                      "anybody can read them all.\n";
    return Exit::ok;
}

}  // namespace berth
