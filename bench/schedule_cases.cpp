#include "bench/schedule_cases.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "bench/apart.h"
#include "bench/schedule_world.h"
#include "daemon/loop_alarms.h"
#include "daemon/schedule_book.h"
#include "model/jitter.h"
#include "scheduler/schedules.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

double ms_since(Steady::time_point begin) {
    return std::chrono::duration<double, std::milli>{Steady::now() - begin}.count();
}

// The system's clock, put forward to shortly before the next minute: cron text knows whole
// minutes, and nobody wants to wait for them.
class ForwardClock final : public Clock {
public:
    Time now() const override { return clock_.now() + forward_; }
    SteadyTime steady() const override { return clock_.steady(); }
    // The minute that it now stands before.
    Time go_before_minute(std::chrono::microseconds by) {
        const Time minute = std::chrono::ceil<std::chrono::minutes>(now() + by);
        forward_ += minute - by - now();
        return minute;
    }

private:
    SystemClock clock_;
    std::chrono::microseconds forward_{0};
};

// Remembers what it has said last.
class MarkedClock final : public Clock {
public:
    explicit MarkedClock(const Clock& clock) : clock_{clock} {}
    Time now() const override { return last = clock_.now(); }
    SteadyTime steady() const override { return clock_.steady(); }
    mutable Time last{};

private:
    const Clock& clock_;
};

// The book, and when each of its looks was durable: by the instant the look was made for,
// which is what the ledger has.
class WatchedBook final : public ScheduleStore {
public:
    WatchedBook(Store& store, const Clock& clock) : clock_{clock}, book_{store, clock_} {}

    void look(std::int64_t most, Callback<void(Result<Look>)> done) override {
        const auto made_for = std::make_shared<Time>();
        book_.look(most, [this, made_for, done = std::move(done)](Result<Look> look) mutable {
            ++looks;
            if (look) {
                fired += look->fired;
                durable.emplace(*made_for, clock_.now());
            }
            done(std::move(look));
            if (on_look) on_look();
        });
        *made_for = clock_.last;
    }
    void rewind(Callback<void(Result<void>)> done) override { book_.rewind(std::move(done)); }
    void prune(Callback<void(Result<void>)> done) override { book_.prune(std::move(done)); }

    std::int64_t looks = 0;
    std::int64_t fired = 0;
    std::map<Time, Time> durable;
    std::function<void()> on_look;

private:
    MarkedClock clock_;
    ScheduleBook book_;
};

// The engine on a real loop.
class Firing {
public:
    explicit Firing(const std::filesystem::path& dir)
        : store_{must(Store::open(dir, loop_, clock_))} {}

    void open() {
        engine_.open();
        run_until([this] { return book_.looks > 0; });
    }

    // In so long all of them are due, each put off by its own part of the jitter.
    Arming arm(std::int64_t count, std::chrono::seconds before, std::chrono::seconds jitter) {
        const Arming arming{1, count, clock_.go_before_minute(before), jitter};
        write(*store_, loop_, [arming](Db& db) { bench::arm(db, arming); });
        engine_.kick();
        return arming;
    }

    void await_fired(std::int64_t count) {
        run_until([this, count] { return book_.fired >= count; });
    }

    // Of every slot of these tenants: from its due instant until it was durable.
    std::vector<double> lateness_us(const Arming& arming) {
        const auto rows = write(*store_, loop_, [arming](Db& db) {
            return db.query(
                "select tenant_id, nominal, recorded from slots where outcome = 'fired'"
                " and tenant_id >= $1 and tenant_id < $2 and nominal = $3",
                {arming.first, arming.first + arming.count, arming.due});
        });
        std::vector<double> all;
        for (const Row& row : rows) {
            const Time due = time_from_micros(row.integer(1)) +
                             jitter(TenantId{row.integer(0)}, 0, arming.jitter);
            const Time durable = book_.durable.at(time_from_micros(row.integer(2)));
            all.push_back(static_cast<double>((durable - due).count()));
        }
        if (std::ssize(all) != arming.count)
            throw std::runtime_error{
                fmt::format("{} of {} schedules have fired", all.size(), arming.count)};
        return all;
    }

private:
    void run_until(const std::function<bool()>& is_true) {
        bool late = false;
        Timer deadline{loop_, [&] {
                           late = true;
                           loop_.stop();
                       }};
        deadline.start(3min);
        book_.on_look = [&] {
            if (is_true()) loop_.stop();
        };
        while (!is_true() && !late)
            loop_.run();
        book_.on_look = nullptr;
        if (late) throw std::runtime_error{"schedules did not fire"};
    }

    ForwardClock clock_;
    Loop loop_;
    std::unique_ptr<Store> store_;
    LoopAlarms alarms_{loop_};
    WatchedBook book_{*store_, clock_};
    ScheduleEngine engine_{alarms_, clock_, book_, [] {}};
};

json measure(const std::filesystem::path& dir, const ScheduleCase& wanted) {
    json told;
    const auto before = resident_bytes();
    const auto opening = Steady::now();
    Firing firing{dir};
    told["open_ms"] = ms_since(opening);
    const auto arming = Steady::now();
    firing.open();
    told["armed_ms"] = ms_since(arming);

    const Arming some = firing.arm(wanted.firings, 1s, wanted.window);
    firing.await_fired(some.count);
    told["late_us"] = firing.lateness_us(some);

    told["resident_mib"] =
        (static_cast<double>(resident_bytes()) - static_cast<double>(before)) / 1048576.0;
    if (wanted.burst > 0) {
        const Arming all = firing.arm(wanted.burst, 3s, 0s);
        const double cpu = cpu_us();
        firing.await_fired(some.count + all.count);
        told["look_cpu_us"] = (cpu_us() - cpu) / static_cast<double>(all.count);
        told["burst_us"] = firing.lateness_us(all);
    }
    return told;
}

}  // namespace

ScheduleFigures measure_schedules(const ScheduleCase& wanted) {
    const TempDir folder{"schedule-bench"};
    populate(folder.path(), {.tenants = wanted.schedules});
    const auto without = bytes_below(folder.path());
    populate(folder.path(), {.scheduled = wanted.schedules});
    const auto with = bytes_below(folder.path());
    const json told = apart([&] { return measure(folder.path(), wanted); });

    ScheduleFigures figures;
    figures.open_ms = told["open_ms"];
    figures.armed_ms = told["armed_ms"];
    figures.resident_mib = told["resident_mib"];
    figures.disk_bytes =
        static_cast<double>(with - without) / static_cast<double>(wanted.schedules);
    for (const double us : told["late_us"])
        figures.late.add(std::chrono::duration_cast<Steady::duration>(
            std::chrono::duration<double, std::micro>{us}));
    if (wanted.burst > 0) {
        figures.look_cpu_us = told["look_cpu_us"];
        const auto burst = told["burst_us"].get<std::vector<double>>();
        figures.burst_seconds = *std::ranges::max_element(burst) / 1e6;
    }
    return figures;
}

}  // namespace berth::bench
