// soak [RUNS]: many runs of a trivial script through the real daemons, and whether
// anything grows with them: memory, descriptors, the write-ahead log, the time a run
// takes. Exits 1 when something does; ./dev soak.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "bench/daemons.h"

using namespace berth;
using namespace berth::bench;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr int kTenants = 8;
constexpr int kParts = 10;
constexpr double kMib = 1024.0 * 1024.0;
// What may grow, and no more (reliability.md L5).
constexpr double kGoalKibPerThousand = 1;
constexpr double kWalMib = 64;
constexpr int kSpareDescriptors = 6;
constexpr int kLongEnough = 5'000;  // before that, memory is still finding its level

struct Use {
    double resident_kib = 0;
    double proportional_kib = 0;  // pages that several share are counted in shares
    double own_kib = 0;           // of no file
    int descriptors = 0;
};
using Uses = std::map<std::string, Use>;

// What was seen after a tenth of the runs.
struct Part {
    int runs = 0;
    Uses uses;
    double wal_mib = 0;
    double store_mib = 0;
    double seconds = 0;
    Samples times;
};

pid_t peer_of(const fs::path& socket) {
    const Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket.string();
    std::copy(path.begin(), path.end(), address.sun_path);
    check(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
          "connecting to '{}'", path);
    ucred peer{};
    socklen_t size = sizeof peer;
    check(::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size), "asking who listens");
    return peer.pid;
}

std::string field_of(const fs::path& status, const std::string& name) {
    std::ifstream file{status};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name + ":")) return std::string{trim(line.substr(name.size() + 1))};
    return {};
}

// The daemons are the children of one supervisor; it made the socket, so it is the peer.
Uses uses_of(pid_t supervisor) {
    Uses uses;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        const auto pid = to_number<pid_t>(entry.path().filename().string());
        if (!pid) continue;
        const auto status = entry.path() / "status";
        const auto name = field_of(status, "Name");
        if (to_number<pid_t>(field_of(status, "PPid")) != supervisor || !name.starts_with("berth"))
            continue;
        Use use;
        const auto kib = [&](const char* line) {
            const auto text = field_of(entry.path() / "smaps_rollup", line);
            return to_number<double>(text.substr(0, text.find(' '))).value_or(0);
        };
        use.resident_kib = kib("Rss");
        use.proportional_kib = kib("Pss");
        use.own_kib = kib("Anonymous");
        std::error_code gone;
        for (fs::directory_iterator it{entry.path() / "fd", gone}, end; it != end;
             it.increment(gone))
            ++use.descriptors;
        uses[name] = use;
    }
    return uses;
}

std::map<std::string, int> descriptors_of(const Uses& uses) {
    std::map<std::string, int> counts;
    for (const auto& [program, use] : uses)
        counts[program] = use.descriptors;
    return counts;
}

// The value of one line of /metrics.
double metric(Daemons& daemons, std::string_view name) {
    const auto text = daemons.must("GET", "/metrics");
    for (const auto& line : split(text, '\n'))
        if (line.starts_with(name) && line[name.size()] == ' ')
            return to_number<double>(line.substr(name.size() + 1)).value_or(-1);
    throw std::runtime_error{fmt::format("/metrics has no '{}'", name)};
}

// Whether all sandboxes are there that berth-runner keeps ready: each has descriptors, so
// only then two counts can be compared. Half as many as are parked are complete.
bool all_are_ready(Daemons& daemons) {
    const double size = metric(daemons, "berth_pool_size");
    return metric(daemons, "berth_pool_parked") == size &&
           metric(daemons, "berth_pool_complete") == std::ceil(size / 2);
}

// Looks until all is ready, and nothing has moved for a while that is longer than the
// pool's figures take to arrive; nothing when that does not come.
std::optional<Uses> settled_uses(Daemons& daemons, pid_t supervisor) {
    std::optional<Uses> before;
    for (const auto end = Steady::now() + 20s; Steady::now() < end;) {
        if (!all_are_ready(daemons)) {
            before.reset();
        } else {
            Uses now = uses_of(supervisor);
            if (before && descriptors_of(now) == descriptors_of(*before)) return now;
            before = std::move(now);
        }
        std::this_thread::sleep_for(1200ms);
    }
    return {};
}

double mib_of(const fs::path& file) {
    std::error_code none;
    const auto size = fs::file_size(file, none);
    return none ? 0 : static_cast<double>(size) / kMib;
}

// Keeps every tenant with one run at a time.
class Runs {
public:
    explicit Runs(Daemons& daemons) : daemons_{daemons} {
        integration_ = daemons.install("soak", programs() / "first_line", "./program");
        for (int i = 0; i < kTenants; ++i)
            tenants_.push_back(daemons.add_tenant(integration_, fmt::format("tenant-{}", i)));
    }

    // One of each tenant, in the same moment.
    void run_together() {
        pause(true);
        std::vector<std::string> triggers;
        for (const auto tenant : tenants_)
            triggers.push_back(ask(tenant));
        pause(false);
        for (const auto& trigger : triggers)
            wait(trigger);
    }

    void run(int count, Samples& times) {
        std::deque<std::string> live;
        for (int begun = 0; begun < count || !live.empty();) {
            if (begun < count && live.size() < tenants_.size()) {
                live.push_back(ask(tenants_[static_cast<std::size_t>(begun) % tenants_.size()]));
                ++begun;
                continue;
            }
            times.add(wait(live.front()));
            live.pop_front();
        }
    }

private:
    void pause(bool paused) {
        daemons_.must("PATCH", fmt::format("/v2/integrations/{}", integration_),
                      Json{{"paused", paused}}.dump());
    }

    std::string ask(std::int64_t tenant) {
        return Json::parse(daemons_.must(
            "POST", fmt::format("/v2/tenants/{}/sync?mode=normal", tenant)))["trigger_id"];
    }

    Steady::duration wait(const std::string& trigger) {
        for (;;) {
            // 404 until a run has been made of it.
            const auto status = client_.request("GET", "/v2/runs/triggers/" + trigger + "/status");
            if (status && status->status == 200) {
                const auto id = Json::parse(status->body)["run_id"].get<std::int64_t>();
                const auto run = Json::parse(daemons_.must("GET", fmt::format("/v2/runs/{}", id)));
                if (!run["completed_date"].is_null()) {
                    if (run["state"] != "succeeded")
                        throw std::runtime_error{"a run did not succeed: " + run.dump()};
                    const Json& accepted = run["triggers"][0]["created_date"];
                    return parse_rfc3339(run["completed_date"].get<std::string>()).value() -
                           parse_rfc3339(accepted.get<std::string>()).value();
                }
            }
            std::this_thread::sleep_for(2ms);  // another process's work: there is no event
        }
    }

    Daemons& daemons_;
    Client client_{daemons_.socket()};
    std::int64_t integration_ = 0;
    std::vector<std::int64_t> tenants_;
};

// Kibibytes per thousand runs, through all parts but the first.
double slope(const std::vector<Part>& parts, const std::string& program) {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const double runs = parts[i].runs / 1000.0;
        const double kib = parts[i].uses.at(program).resident_kib;
        n += 1, x += runs, y += kib, xx += runs * runs, xy += runs * kib;
    }
    const double spread = n * xx - x * x;
    return spread == 0 ? 0 : (n * xy - x * y) / spread;
}

int judge(const std::vector<Part>& parts) {
    int wrong = 0;
    const auto complain = [&](const std::string& what) {
        std::printf("WRONG: %s\n", what.c_str());
        ++wrong;
    };
    const Part& early = parts[1];
    const Part& last = parts.back();
    for (const auto& [program, use] : last.uses) {
        const double kib = slope(parts, program);
        std::printf("%-15s %8.1f KiB per 1000 runs (goal %.0f)\n", program.c_str(), kib,
                    kGoalKibPerThousand);
        if (use.descriptors > early.uses.at(program).descriptors + kSpareDescriptors)
            complain(fmt::format("{} has {} descriptors, {} after the second part", program,
                                 use.descriptors, early.uses.at(program).descriptors));
        if (last.runs >= kLongEnough && kib > 100 * kGoalKibPerThousand)
            complain(fmt::format("{} grows by {:.0f} KiB per 1000 runs", program, kib));
    }
    for (const Part& part : parts)
        if (part.wal_mib > kWalMib + 4)
            complain(fmt::format("the write-ahead log has {:.0f} MiB", part.wal_mib));
    const double first99 = parts.front().times.percentile(0.99);
    const double last99 = last.times.percentile(0.99);
    std::printf("p99 of a run, first part %.1f ms, last part %.1f ms\n", first99 / 1e3,
                last99 / 1e3);
    // Other programs share this machine: only what is far off is wrong, and of a few runs
    // one pause of the machine is most of the time.
    const double first50 = parts.front().times.percentile(0.5);
    const double last50 = last.times.percentile(0.5);
    if (last.runs >= kLongEnough && last50 > 4 * first50 + 100e3)
        complain("runs take longer and longer");
    return wrong;
}

// What each process has of the host's memory at the end.
void print_memory(const Part& last) {
    std::printf("after %d runs, KiB:  resident  proportional  of no file\n", last.runs);
    for (const auto& [program, use] : last.uses)
        std::printf("  %-17s %9.0f %13.0f %11.0f\n", program.c_str(), use.resident_kib,
                    use.proportional_kib, use.own_kib);
}

// Complete sandboxes are made as many as runs have begun together, and given up for no run
// here. So runs together fill them, once, and later counts differ by what leaks alone.
Uses uses_at_rest(Daemons& daemons, pid_t supervisor, Runs& load) {
    for (int tries = 0; tries < 6; ++tries) {
        if (auto uses = settled_uses(daemons, supervisor)) return std::move(*uses);
        load.run_together();
    }
    throw std::runtime_error{"the pool did not become full again:\n" +
                             daemons.must("GET", "/metrics")};
}

int soak(int runs) {
    // Slots enough that no complete sandbox has to go for a run.
    Daemons daemons{"max_runs = 8\nslots = 40\n"};
    daemons.start();
    const pid_t supervisor = peer_of(daemons.socket());
    Runs load{daemons};
    load.run_together();
    std::vector<Part> parts;
    std::printf("%9s %9s %9s %9s", "runs", "runs/s", "p50 ms", "p99 ms");
    for (const auto& [program, use] : uses_of(supervisor))
        std::printf(" %20s", (program + " KiB/fd").c_str());
    std::printf(" %8s %10s\n", "WAL MiB", "store MiB");
    for (int i = 1; i <= kParts; ++i) {
        Part part;
        const auto began = Steady::now();
        load.run(runs * i / kParts - runs * (i - 1) / kParts, part.times);
        part.seconds = std::chrono::duration<double>(Steady::now() - began).count();
        part.runs = runs * i / kParts;
        part.uses = uses_at_rest(daemons, supervisor, load);
        part.wal_mib = mib_of(daemons.store_dir() / "berth.db-wal");
        part.store_mib = mib_of(daemons.store_dir() / "berth.db");
        std::printf("%9d %9.1f %9.1f %9.1f", part.runs,
                    static_cast<double>(part.times.size()) / part.seconds,
                    part.times.percentile(0.5) / 1e3, part.times.percentile(0.99) / 1e3);
        for (const auto& [program, use] : part.uses)
            std::printf(" %14.0f / %3d", use.resident_kib, use.descriptors);
        std::printf(" %8.1f %10.1f\n", part.wal_mib, part.store_mib);
        std::fflush(stdout);
        parts.push_back(std::move(part));
    }
    print_memory(parts.back());
    return judge(parts) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const auto runs = argc > 1 ? to_number<int>(argv[1]) : std::optional<int>{100'000};
    if (argc > 2 || !runs || *runs < 10 * kParts) {
        std::fprintf(stderr, "usage: soak [RUNS]  (at least %d)\n", 10 * kParts);
        return 2;
    }
    if (::geteuid() != 0) {
        std::fprintf(stderr, "soak: skipped: sandboxes need root\n");
        return std::getenv("BERTH_REQUIRE_SANDBOX") != nullptr ? 1 : 77;
    }
    try {
        return soak(*runs);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "soak: %s\n", error.what());
        return 1;
    }
}
