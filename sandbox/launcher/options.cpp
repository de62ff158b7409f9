#include "sandbox/launcher/options.h"

#include <getopt.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "sandbox/ipc/launcher_protocol.h"

namespace berth::launcher {
namespace {

constexpr char kUsage[] =
    "usage: berth-launcher (--runner-fd N | --listen-fd N | --socket PATH) --runner-uid UID\n"
    "           --releases DIR --first-uid U --slots N [--cgroups auto|none|DIR] "
    "[--require-cgroup]\n"
    "           [--cpu-percent N] [--io-mib-per-second N]\n"
    "           [--strict] [--pool N] [--pool-age SECONDS]\n"
    "           [--allow-host-network] [--egress-ports LIST]\n"
    "       berth-launcher --remove-groups\n"
    "\n"
    "Builds sandboxes for berth-runner; started by berthd or by systemd, as root.\n"
    "  --runner-fd N      a connected SOCK_SEQPACKET socket to the runner; its end ends this\n"
    "  --listen-fd N      a listening one, from systemd\n"
    "  --socket PATH      where to listen for the runner\n"
    "  --runner-uid UID   who may connect (with --listen-fd and --socket)\n"
    "  --releases DIR     the folder of releases, one of which each sandbox sees at /app\n"
    "  --first-uid U      host uids and gids from U on are for sandboxes only: two for each\n"
    "  --slots N          how many sandboxes may exist at once\n"
    "  --cgroups HOW      'auto': v2 if it was delegated to this program, else v1, else rlimits;\n"
    "                     'none': rlimits; else a delegated cgroup v2 folder without processes\n"
    "  --pool N           sandboxes kept ready for each sort of run, at most a quarter of the\n"
    "                     slots; 4 per core unless said; 0: each is built when it is asked for\n"
    "  --pool-age SECONDS the longest that one waits before it is replaced; 600 unless said\n"
    "  --strict           close also what programs seldom need: locks, most of /proc\n"
    "  --require-cgroup   do not start without cgroup limits on memory and processes\n"
    "  --cpu-percent N    of one processor, for each sandbox; no limit unless said\n"
    "  --io-mib-per-second N  read and written by each sandbox on the disk of the releases,\n"
    "                     each way; needs cgroup v2\n"
    "  --allow-host-network  a sandbox may be asked for with the host's network; else refused\n"
    "  --allow-writable NAME=DIR  a sandbox may be asked for that writes to this folder at\n"
    "                     /data; not root's, on a file system that maps owners (16 at most)\n"
    "  --allow-syscalls NAME=A,B  a sandbox may be asked for with these system calls besides\n"
    "  --remove-groups    does nothing but remove the empty cgroup v1 folders of launchers that\n"
    "                     have ended\n"
    "  --egress-ports LIST  the TCP ports that scripts with network egress reach directly, as in\n"
    "                     '22,80,443'; others by the proxy on port 3128\n";

constexpr uid_t kLeastUid = 1000;  // system users and root are below
constexpr unsigned kMostSlots = 4096;
constexpr unsigned kPoolPerCore = 4;

bool complain(const char* option, const char* why) {
    std::fprintf(stderr, "berth-launcher: '%s' %s; see 'berth-launcher --help'\n", option, why);
    return false;
}

bool parse_number(const char* option, const char* text, std::uint64_t most, std::uint64_t& value) {
    char* end = nullptr;
    errno = 0;
    const unsigned long long parsed = std::strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || parsed > most)
        return complain(option, "is not a number in its range");
    value = parsed;
    return true;
}

bool parse_named_option(const char* option, Named (&list)[kMostNamed], unsigned& count) {
    if (count == kMostNamed) return complain(option, "can be given 16 times at most");
    if (!parse_named(::optarg, list[count]))
        return complain(option, "must be NAME=VALUE, with a name of a-z, 0-9, '-' and '_'");
    ++count;
    return true;
}

bool check(const Options& options) {
    if (options.remove_groups) return true;
    const int ways = (options.runner_fd >= 0 ? 1 : 0) + (options.listen_fd >= 0 ? 1 : 0) +
                     (options.socket != nullptr ? 1 : 0);
    if (ways != 1)
        return complain("--runner-fd, --listen-fd, --socket", "must be given exactly once");
    if (options.releases == nullptr) return complain("--releases", "is missing");
    if (options.slots == 0 || options.slots > kMostSlots)
        return complain("--slots", "must be 1 to 4096");
    if (options.first_uid < kLeastUid)
        return complain("--first-uid", "must be at least 1000: lower ones are the system's");
    constexpr std::uint64_t kMostUid = std::numeric_limits<uid_t>::max() - 1;
    if (options.first_uid + std::uint64_t{2} * options.slots > kMostUid)
        return complain("--first-uid", "leaves no room for two uids for each slot");
    if (options.runner_uid >= options.first_uid &&
        options.runner_uid < options.first_uid + 2 * options.slots)
        return complain("--runner-uid", "lies in the range that is for sandboxes");
    return true;
}

}  // namespace

bool parse_options(int argc, char** argv, Options& options) {
    enum : int {
        runner_fd = 256,
        listen_fd,
        socket,
        runner_uid,
        releases,
        first_uid,
        slots,
        cgroups,
        pool,
        pool_age,
        require_cgroup,
        cpu_percent,
        io_mib_per_second,
        strict,
        allow_host_network,
        allow_writable,
        allow_syscalls,
        egress_ports,
        remove_groups
    };
    constexpr option kLong[] = {
        {"runner-fd", required_argument, nullptr, runner_fd},
        {"listen-fd", required_argument, nullptr, listen_fd},
        {"socket", required_argument, nullptr, socket},
        {"runner-uid", required_argument, nullptr, runner_uid},
        {"releases", required_argument, nullptr, releases},
        {"first-uid", required_argument, nullptr, first_uid},
        {"slots", required_argument, nullptr, slots},
        {"cgroups", required_argument, nullptr, cgroups},
        {"pool", required_argument, nullptr, pool},
        {"pool-age", required_argument, nullptr, pool_age},
        {"require-cgroup", no_argument, nullptr, require_cgroup},
        {"cpu-percent", required_argument, nullptr, cpu_percent},
        {"io-mib-per-second", required_argument, nullptr, io_mib_per_second},
        {"strict", no_argument, nullptr, strict},
        {"allow-host-network", no_argument, nullptr, allow_host_network},
        {"allow-writable", required_argument, nullptr, allow_writable},
        {"allow-syscalls", required_argument, nullptr, allow_syscalls},
        {"egress-ports", required_argument, nullptr, egress_ports},
        {"remove-groups", no_argument, nullptr, remove_groups},
        {"cgroup-root", required_argument, nullptr, cgroups},  // as it was
        {"help", no_argument, nullptr, 'h'},
        {nullptr, 0, nullptr, 0}};
    constexpr std::uint64_t kMostFd = 1 << 20;
    constexpr std::uint64_t kMostUid = std::numeric_limits<uid_t>::max() - 1;
    constexpr std::uint64_t kMostAge = 1'000'000;
    constexpr std::uint64_t kMostCpuPercent = 100'000;
    constexpr std::uint64_t kMostIoMib = 1'000'000;
    unsigned pool_size = kPoolPerCore * static_cast<unsigned>(::get_nprocs());
    for (int found; (found = ::getopt_long(argc, argv, "", kLong, nullptr)) != -1;) {
        std::uint64_t number = 0;
        const char* name = found >= 256 ? kLong[found - 256].name : "";
        const auto parse = [&](std::uint64_t most) {
            return parse_number(name, ::optarg, most, number);
        };
        switch (found) {
            case runner_fd:
                if (!parse(kMostFd)) return false;
                options.runner_fd = static_cast<int>(number);
                break;
            case listen_fd:
                if (!parse(kMostFd)) return false;
                options.listen_fd = static_cast<int>(number);
                break;
            case runner_uid:
                if (!parse(kMostUid)) return false;
                options.runner_uid = static_cast<uid_t>(number);
                break;
            case first_uid:
                if (!parse(kMostUid)) return false;
                options.first_uid = static_cast<uid_t>(number);
                break;
        case slots:
                if (!parse(kMostSlots)) return false;
                options.slots = static_cast<unsigned>(number);
                break;
            case pool:
                if (!parse(kMostSlots)) return false;
                pool_size = static_cast<unsigned>(number);
                break;
            case pool_age:
                if (!parse(kMostAge) || number == 0) return false;
                options.pool_age_s = static_cast<unsigned>(number);
                break;
            case socket: options.socket = ::optarg; break;
            case releases: options.releases = ::optarg; break;
            case cgroups: options.cgroups = ::optarg; break;
            case cpu_percent:
                if (!parse(kMostCpuPercent)) return false;
                options.cpu_percent = number;
                break;
            case io_mib_per_second:
                if (!parse(kMostIoMib)) return false;
                options.io_mib_per_second = number;
                break;
            case strict: options.strict = true; break;
            case remove_groups: options.remove_groups = true; break;
            case require_cgroup: options.require_cgroup = true; break;
            case allow_host_network: options.allow_host_network = true; break;
            case allow_writable:
                if (!parse_named_option(name, options.writable, options.writable_count))
                    return false;
                break;
            case allow_syscalls:
                if (!parse_named_option(name, options.syscalls, options.syscalls_count))
                    return false;
                break;
            case egress_ports:
                if (!parse_egress_ports(::optarg, options.egress_ports))
                    return complain("--egress-ports",
                                    "is not a list of at most 16 ports without 53 and 3128");
                break;
            case 'h': std::fputs(kUsage, stdout); std::exit(0);
            default: return complain("arguments", "could not be understood");
        }
    }
    if (::optind < argc) return complain(argv[::optind], "is not an option");
    // The rest is for runs, which may need another class, or go on for long.
    options.pool = std::min(pool_size, options.slots / 4);
    return check(options);
}

}  // namespace berth::launcher
