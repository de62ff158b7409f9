// soak [RUNS]: many runs of a trivial script through the real daemons, and whether
// anything grows with them: memory, descriptors, the write-ahead log, the time a run
// takes. Exits 1 when something does; ./dev soak.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "bench/daemons.h"
#include "bench/process_use.h"

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

// What was seen after a tenth of the runs.
struct Part {
    int runs = 0;
    Uses uses;
    double wal_mib = 0;
    double store_mib = 0;
    double databases_kib = 0;  // of berthd's memory: pages that its databases keep
    double seconds = 0;
    Samples times;
};

std::map<std::string, int> descriptors_of(const Uses& uses) {
    std::map<std::string, int> counts;
    for (const auto& [program, use] : uses)
        counts[program] = use.descriptors;
    return counts;
}

// Whether all sandboxes are there that berth-runner keeps ready: each has descriptors, so
// only then two counts can be compared. Half as many as are parked are complete.
bool all_are_ready(Daemons& daemons) {
    const double size = daemons.metric("berth_pool_size");
    return daemons.metric("berth_pool_parked") == size &&
           daemons.metric("berth_pool_complete") == std::ceil(size / 2);
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
double slope(const std::vector<Part>& parts, const std::function<double(const Part&)>& kib_of) {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const double runs = parts[i].runs / 1000.0;
        const double kib = kib_of(parts[i]);
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
    // Pages are kept up to a number, so they are no leak, and a short run only sees them grow.
    const double pages = slope(parts, [](const Part& part) { return part.databases_kib; });
    const double own =
        slope(parts, [](const Part& part) { return part.uses.at("berthd").own_kib; });
    std::printf("berthd's databases' pages: %.1f KiB per 1000 runs, %.0f KiB at the end\n", pages,
                last.databases_kib);
    std::printf("berthd without them and without files: %.1f KiB per 1000 runs\n", own - pages);
    for (const auto& [program, use] : last.uses) {
        const double kib =
            slope(parts,
                  [&name = program](const Part& part) { return part.uses.at(name).resident_kib; }) -
            (program == "berthd" ? pages : 0);
        std::printf("%-15s %8.1f KiB per 1000 runs (goal %.0f)%s\n", program.c_str(), kib,
                    kGoalKibPerThousand, program == "berthd" ? ", without those pages" : "");
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
    std::printf(" %8s %10s %10s\n", "WAL MiB", "store MiB", "pages KiB");
    for (int i = 1; i <= kParts; ++i) {
        Part part;
        const auto began = Steady::now();
        load.run(runs * i / kParts - runs * (i - 1) / kParts, part.times);
        part.seconds = std::chrono::duration<double>(Steady::now() - began).count();
        part.runs = runs * i / kParts;
        part.uses = uses_at_rest(daemons, supervisor, load);
        part.wal_mib = mib_of(daemons.store_dir() / "berth.db-wal");
        part.store_mib = mib_of(daemons.store_dir() / "berth.db");
        part.databases_kib = daemons.metric("berth_store_memory_bytes") / 1024;
        std::printf("%9d %9.1f %9.1f %9.1f", part.runs,
                    static_cast<double>(part.times.size()) / part.seconds,
                    part.times.percentile(0.5) / 1e3, part.times.percentile(0.99) / 1e3);
        for (const auto& [program, use] : part.uses)
            std::printf(" %14.0f / %3d", use.resident_kib, use.descriptors);
        std::printf(" %8.1f %10.1f %10.0f\n", part.wal_mib, part.store_mib, part.databases_kib);
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
