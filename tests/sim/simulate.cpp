#include "tests/sim/simulate.h"

#include <fmt/format.h>

#include "base/log.h"
#include "daemon/schedule_book.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/schedules.h"
#include "store/shares.h"
#include "store/tenants.h"
#include "tests/sim/host.h"

namespace berth::sim {
namespace {

using namespace std::chrono_literals;
constexpr microseconds kLoad = 3h;   // under load and faults
constexpr microseconds kQuiet = 2h;  // then it must all drain

template <typename T>
T must(World& world, Result<T> result) {
    if (!result) world.wrong("setting up: " + result.error().message);
    return *std::move(result);
}

class Simulation {
public:
    explicit Simulation(std::uint64_t seed)
        : world_{seed}, vfs_{seed}, truth_{world_, rules_}, host_{world_, vfs_, truth_, rules_} {}

    Simulated run(bool tells) {
        world_.tells = tells;
        host_.set_up([this](Db& db) { make_rows(db); });
        // One place, and one tenant that could fill it for long.
        const bool crowded = world_.one_in(6);
        if (crowded) rules_.max_runs = 1;
        host_.weather = {.dies = 150, .power = 400, .io_error = 400, .full_until = 0us};
        host_.start();
        if (crowded) backlog();
        next_act();
        while (world_.steady() < kLoad + kQuiet && world_.wrongs().empty() && step()) {
        }
        if (world_.wrongs().empty()) host_.look_at_the_end();
        return {world_.wrongs(), world_.hash(), events_, world_.met()};
    }

private:
    bool step() {
        if (!quiet_ && world_.steady() >= kLoad) calm_down();
        ++events_;
        if (!world_.step()) {
            world_.wrong("nothing is armed any more");
            return false;
        }
        host_.bury_the_dead();
        return true;
    }

    // --- the world at its beginning
    IntegrationId make_integration(Db& db, const std::string& name, OnLost on_lost,
                                   const IntegrationPolicy& policy) {
        Integration wanted;
        wanted.name = name;
        wanted.on_lost = on_lost;
        wanted.wall_time = rules_.wall_time;
        const auto made = must(world_, create_integration(db, by(), wanted));
        Release release;
        release.integration_id = made.id;
        release.content_hash = name;
        release.run_command = "true";
        must(world_, create_release(db, by(), release));
        if (auto ok = put_policy(db, by(), made.id, policy); !ok) world_.wrong(ok.error().message);
        integrations_.push_back(made.id);
        return made.id;
    }

    void make_tenant(Db& db, IntegrationId integration, const std::string& name,
                     const ScheduleSettings& settings = {}) {
        Tenant wanted;
        wanted.integration_id = integration;
        wanted.name = name;
        wanted.paused = false;
        const auto made = must(world_, create_tenant(db, by(), wanted));
        tenants_.push_back(made.id);
        if (!settings.text.empty())
            must(world_, put_schedule(db, by(), made.id, settings, /*own=*/true));
    }

    void make_rows(Db& db) {
        IntegrationPolicy capped, retrying;
        capped.most_running = 1;
        retrying.retries = 2;
        retrying.retry_first = 20s;
        retrying.most_waiting = 4;
        rules_.fails = rules_.plain = make_integration(db, "plain", OnLost::fail, {});
        rules_.capped = make_integration(db, "capped", OnLost::retry, capped);
        const auto third = make_integration(db, "retrying", OnLost::fail, retrying);

        ScheduleSettings minutely, fives, nightly, skipping, often;
        minutely.text = "* * * * *";
        minutely.jitter = 150s;
        fives.text = "*/5 * * * *";
        fives.zone = "Europe/Berlin";
        fives.missed = MissedPolicy::all;
        nightly.text = "30 2 * * *";
        nightly.zone = "Europe/Berlin";
        nightly.rule = {GapRule::skip, OverlapRule::both};
        skipping.text = "@every 2m";
        skipping.when_busy = WhenBusy::skip;
        often.text = "* * * * *";
        make_tenant(db, rules_.plain, "noisy");
        make_tenant(db, rules_.plain, "minutely", minutely);
        make_tenant(db, rules_.plain, "fives", fives);
        make_tenant(db, rules_.plain, "nightly", nightly);
        make_tenant(db, rules_.capped, "skipping", skipping);
        make_tenant(db, rules_.capped, "also-capped");
        make_tenant(db, third, "often", often);
        make_tenant(db, third, "retrying");
    }

    void backlog() {
        world_.sometimes("a tenant came with a backlog");
        for (int i = 0; i < 8'000; ++i)  // twenty runs
            world_.after(1s, [this, i] {
                host_.sync(tenants_[0], RunMode::normal, fmt::format("backlog-{}", i));
            });
    }

    // --- what people and the world do to it
    void next_act() {
        world_.after(world_.between(10ms, 40s), [this] {
            if (quiet_) return;
            act();
            next_act();
        });
    }

    TenantId some_tenant() { return tenants_[world_.below(tenants_.size())]; }

    void act() {
        switch (world_.below(16)) {
            case 0: return pause_tenant(some_tenant(), world_.one_in(2));
            case 1: return pause_integration(world_.below(3), world_.one_in(2));
            case 2: return host_.cancel_one();
            case 3: return put_clock_wrong();
            case 4: return disk_full();
            case 5:
                if (world_.one_in(4)) return archive(tenants_[7], world_.one_in(2));
                return;
            case 6:
                if (world_.one_in(3)) host_.kill();
                return;
            case 7:
                if (world_.one_in(4)) return change_schedule();
                return;
            default:
                return host_.sync(some_tenant(), world_.one_in(6) ? RunMode::init : RunMode::normal,
                                  fmt::format("key-{}", ++keys_));
        }
    }

    void pause_tenant(TenantId id, bool paused) {
        world_.sometimes(paused ? "a tenant was paused" : "a tenant went on");
        host_.change([this, id, paused](Db& db, Time now) {
            auto tenant = get_tenant(db, id);
            if (!tenant) return;
            tenant->paused = paused;
            if (auto ok = update_tenant(db, By{"sim", now}, *tenant); !ok)
                world_.wrong(ok.error().message);
            look_at_schedules(db, id, now);
        });
    }

    void pause_integration(std::size_t which, bool paused) {
        world_.sometimes(paused ? "an integration was paused" : "an integration went on");
        host_.change([this, id = integrations_[which], paused](Db& db, Time now) {
            auto integration = get_integration(db, id);
            if (!integration) return;
            integration->paused = paused;
            if (auto ok = update_integration(db, By{"sim", now}, *integration); !ok)
                world_.wrong(ok.error().message);
            look_at_schedules(db, id, now);
        });
    }

    void archive(TenantId id, bool archived) {
        world_.sometimes(archived ? "a tenant was archived" : "a tenant came back");
        host_.change([this, id, archived](Db& db, Time now) {
            auto tenant = get_tenant(db, id);
            if (!tenant) return;
            tenant->archived = archived;
            if (auto ok = update_tenant(db, By{"sim", now}, *tenant); !ok)
                world_.wrong(ok.error().message);
            look_at_schedules(db, id, now);
        });
    }

    void change_schedule() {
        world_.sometimes("a schedule was changed");
        host_.change([this, minutes = 1 + world_.below(6)](Db& db, Time now) {
            auto schedule = get_schedule(db, tenants_[6]);
            if (!schedule) return;
            schedule->settings.text = fmt::format("*/{} * * * *", minutes);
            if (auto ok = put_schedule(db, By{"sim", now}, tenants_[6], schedule->settings, true);
                !ok)
                world_.wrong(ok.error().message);
        });
    }

    void put_clock_wrong() {
        static constexpr microseconds kWrong[] = {-1h, 1h, -10min, 3min, 365 * 24h};
        if (!world_.one_in(3)) return;
        const auto wrong = kWrong[world_.below(std::size(kWrong))];
        world_.sometimes(wrong < 0us ? "the clock went back" : "the clock went forward");
        world_.log("clock", wrong.count());
        world_.put_clock(wrong);
        world_.after(world_.between(1s, 5min), [this] {
            world_.log("clock right");
            world_.put_clock(0us);
        });
    }

    void disk_full() {
        if (world_.one_in(3)) host_.weather.full_until = world_.steady() + world_.between(1s, 90s);
    }

    // Nothing goes wrong any more, and everybody may run.
    void calm_down() {
        quiet_ = true;
        world_.log("calm");
        host_.weather = {};
        world_.put_clock(0us);
        go_on();
    }

    void go_on() {
        for (const TenantId id : tenants_) {
            archive(id, false);
            pause_tenant(id, false);
        }
        for (std::size_t i = 0; i < integrations_.size(); ++i)
            pause_integration(i, false);
        // The daemon may have been down, or have died of a commit that was on its way: then
        // once more later, and at times also otherwise.
        const bool again = world_.one_in(2);
        world_.after(21min, [this, again, life = host_.life()] {
            if (again || host_.life() != life) go_on();
        });
    }

    By by() const { return {"sim", world_.wall()}; }

    World world_;
    test::FaultyVfs vfs_;
    Rules rules_;
    Truth truth_;
    Host host_;
    std::vector<IntegrationId> integrations_;
    std::vector<TenantId> tenants_;
    std::uint64_t keys_ = 0;
    std::uint64_t events_ = 0;
    bool quiet_ = false;
};

}  // namespace

Simulated simulate(std::uint64_t seed, bool tells) { return Simulation{seed}.run(tells); }

}  // namespace berth::sim
