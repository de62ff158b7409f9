// Picks and turns; see schedule_cases.h.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/file.h"
#include "bench/apart.h"
#include "bench/schedule_cases.h"
#include "bench/schedule_world.h"
#include "daemon/recovery.h"
#include "daemon/run_queue.h"
#include "store/runs.h"
#include "store/shares.h"
#include "store/triggers.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kRunTime = 20ms;  // what a tenant is charged for each run

double ms_since(Steady::time_point begin) {
    return std::chrono::duration<double, std::milli>{Steady::now() - begin}.count();
}

class Queue {
public:
    explicit Queue(const std::filesystem::path& dir)
        : store_{must(Store::open(dir, loop_, clock_))} {}

    std::vector<Run> begin(int places) {
        return answer<RunStore::Begun>(
                   loop_, [&](auto done) { queue_.begin_runs(places, std::move(done)); })
            .runs;
    }
    void recover() {
        write(*store_, loop_, [now = clock_.now()](Db& db) { return recover_runs(db, now); });
    }
    // It runs and succeeds.
    void finish(const Run& run) {
        write(*store_, loop_, [run, now = clock_.now()](Db& db) -> Result<Run> {
            using enum RunState;
            for (const RunState state : {starting, running})
                must(move_run(db, run.id, run.attempt, state, "", now));
            return move_run(db, run.id, run.attempt, succeeded, "", now + kRunTime);
        });
    }
    std::int64_t waiting_of(TenantId tenant) {
        return write(*store_, loop_, [tenant](Db& db) {
            return waiting_load(db, tenant, IntegrationId{1}).tenant;
        });
    }
    void accept(TenantId tenant, std::int64_t count) {
        write(*store_, loop_, [tenant, count, now = clock_.now()](Db& db) {
            Trigger trigger;
            trigger.tenant_id = tenant;
            trigger.created = now;
            for (std::int64_t i = 0; i < count; ++i) {
                trigger.id = TriggerId::make();
                must(accept_trigger(db, trigger));
            }
        });
    }

private:
    SystemClock clock_;
    Loop loop_;
    std::unique_ptr<Store> store_;
    RunQueue queue_{*store_, clock_};
};

struct Waiting {
    TempDir folder{"pick-bench"};
    std::int64_t tenants = 0;
    std::unique_ptr<Queue> queue;
    std::vector<double> took_us, cpu_us;
};

void pick_once(Waiting& of) {
    const double cpu = cpu_us();
    const auto begin = Steady::now();
    const auto runs = of.queue->begin(1);
    of.took_us.push_back(ms_since(begin) * 1e3);
    of.cpu_us.push_back(cpu_us() - cpu);
    if (runs.size() != 1) throw std::runtime_error{"a tenant waits and no run was begun"};
    of.queue->finish(runs[0]);
    of.queue->accept(runs[0].tenant_id, 1);  // as many wait as before
}

json measure(std::vector<std::unique_ptr<Waiting>>& all, int rounds, std::uint64_t seed) {
    json told;
    for (const auto& one : all) {
        json& figures = told[std::to_string(one->tenants)];
        const auto before = resident_bytes();
        const auto opening = Steady::now();
        one->queue = std::make_unique<Queue>(one->folder.path());
        figures["open_ms"] = ms_since(opening);
        const auto first = Steady::now();
        one->queue->recover();
        one->queue->finish(one->queue->begin(1).at(0));
        figures["first_ms"] = ms_since(first);
        figures["resident_mib"] =
            (static_cast<double>(resident_bytes()) - static_cast<double>(before)) / 1048576.0;
    }
    std::mt19937_64 random{seed};
    for (int i = 0; i < rounds; ++i) {
        std::ranges::shuffle(all, random);
        for (const auto& one : all)
            pick_once(*one);
    }
    for (const auto& one : all) {
        told[std::to_string(one->tenants)]["took_us"] = one->took_us;
        told[std::to_string(one->tenants)]["cpu_us"] = one->cpu_us;
        one->queue.reset();
    }
    return told;
}

Samples samples_of(const json& micros) {
    Samples samples;
    for (const double us : micros)
        samples.add(std::chrono::duration_cast<Steady::duration>(
            std::chrono::duration<double, std::micro>{us}));
    return samples;
}

json contend(const std::filesystem::path& dir, int others, std::int64_t many) {
    Queue queue{dir};
    const TenantId one{1};
    constexpr std::int64_t kAtOnce = 5'000;
    for (std::int64_t left = many; left > 0; left -= kAtOnce)
        queue.accept(one, std::min(left, kAtOnce));
    for (int i = 0; i < others; ++i)
        queue.accept(TenantId{2 + i}, 1);

    Fairness found{.waiting = queue.waiting_of(one)};
    std::set<TenantId> begun;
    const int most = 10 * (others + 1);
    while (std::ssize(begun) < others && found.picks < most) {
        const auto runs = queue.begin(1);
        if (runs.size() != 1) break;
        ++found.picks;
        if (runs[0].tenant_id != one) begun.insert(runs[0].tenant_id);
        queue.finish(runs[0]);
    }
    return {{"picks", found.picks}, {"others", begun.size()}, {"waiting", found.waiting}};
}

}  // namespace

std::map<std::int64_t, PickFigures> measure_picks(const std::vector<std::int64_t>& waiting,
                                                  int rounds, std::uint64_t seed) {
    std::vector<std::unique_ptr<Waiting>> all;
    for (const std::int64_t tenants : waiting) {
        all.push_back(std::make_unique<Waiting>());
        all.back()->tenants = tenants;
        populate(all.back()->folder.path(), {.tenants = tenants, .waiting = tenants});
    }
    const json told = apart([&] { return measure(all, rounds, seed); });
    std::map<std::int64_t, PickFigures> figures;
    for (const std::int64_t tenants : waiting) {
        const json& of = told[std::to_string(tenants)];
        figures[tenants] = {of["open_ms"], of["first_ms"], of["resident_mib"],
                            samples_of(of["took_us"]), samples_of(of["cpu_us"])};
    }
    return figures;
}

Fairness measure_fairness(int others, std::int64_t many) {
    const TempDir folder{"fair-bench"};
    populate(folder.path(), {.tenants = others + 1});
    const json told = apart([&] { return contend(folder.path(), others, many); });
    return {told["picks"], told["others"], told["waiting"]};
}

}  // namespace berth::bench
