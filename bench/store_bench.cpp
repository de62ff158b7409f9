// Durable triggers a second: 64 clients whose operations share commits, against one
// that waits for each commit. Goal: at least 8 times as many.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <functional>

#include "base/file.h"
#include "bench/bench.h"
#include "store/integrations.h"
#include "store/store.h"
#include "store/tenants.h"
#include "store/triggers.h"

using namespace berth;
using bench::Steady;

namespace {

template <typename T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error{result.error().message};
    return std::move(*result);
}

class Bench {
public:
    Bench() : store_{must(Store::open(folder_.path(), loop_, clock_))} {
        store_->write(
            [now = clock_.now()](Db& db) -> Result<Tenant> {
                const By by{.actor = "bench", .now = now};
                Integration wanted;
                wanted.name = "bench";
                auto integration = create_integration(db, by, wanted);
                if (!integration) return pass_on(integration);
                Tenant tenant;
                tenant.name = "t";
                tenant.integration_id = integration->id;
                return create_tenant(db, by, tenant);
            },
            [this](Result<Tenant> tenant) {
                tenant_ = must(std::move(tenant)).id;
                loop_.stop();
            });
        loop_.run();
    }

    struct Round {
        double per_second = 0;
        double operations_per_commit = 0;
    };
    // `clients` at once, each sends its next trigger when the last one is on disk.
    Round round(int clients, int total, bench::Samples& waits) {
        const auto before = store_->counts();
        to_send_ = to_answer_ = total;
        waits_ = &waits;
        const auto begin = Steady::now();
        for (int i = 0; i < clients; ++i)
            send();
        loop_.run();
        const std::chrono::duration<double> took = Steady::now() - begin;
        const auto after = store_->counts();
        return {total / took.count(), static_cast<double>(after.operations - before.operations) /
                                          static_cast<double>(after.commits - before.commits)};
    }

private:
    void send() {
        if (to_send_ == 0) return;
        --to_send_;
        Trigger trigger;
        trigger.id = TriggerId::make();
        trigger.tenant_id = tenant_;
        trigger.created = clock_.now();
        store_->write(
            [trigger = std::move(trigger)](Db& db) { return accept_trigger(db, trigger); },
            [this, begin = Steady::now()](Result<Trigger> accepted) {
                (void)must(std::move(accepted));
                waits_->add(Steady::now() - begin);
                if (--to_answer_ == 0) loop_.stop();
                send();
            });
    }

    TempDir folder_{"store-bench"};
    SystemClock clock_;
    Loop loop_;
    TenantId tenant_;
    int to_send_ = 0, to_answer_ = 0;
    bench::Samples* waits_ = nullptr;
    std::unique_ptr<Store> store_;
};

// What one commit costs at least: a small write and its way to the disk.
void sync_once(const Fd& file, bench::Samples& samples) {
    const auto begin = Steady::now();
    const std::string page(4096, 'p');
    check(::pwrite(file.get(), page.data(), page.size(), 0), "writing");
    check(::fdatasync(file.get()), "syncing");
    samples.add(Steady::now() - begin);
}

}  // namespace

int main() {
    Bench bench;
    const TempDir folder{"sync-bench"};
    const Fd file{
        check(::open((folder.path() / "page").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600),
              "making a file")};
    bench::Samples sync, one_wait, many_wait;
    double one = 0, many = 0, shared = 0;
    const int rounds = bench::times(10);
    for (int i = 0; i < rounds; ++i) {
        for (int k = 0; k < 20; ++k)
            sync_once(file, sync);
        one += bench.round(1, 100, one_wait).per_second / rounds;
        const auto round = bench.round(64, 2000, many_wait);
        many += round.per_second / rounds;
        shared += round.operations_per_commit / rounds;
    }
    bench::print_head("a durable trigger, from the call to the answer", "µs");
    bench::print_line("4 KiB and fdatasync (reference)", sync, sync);
    bench::print_line("one client", one_wait, sync);
    bench::print_line("64 clients", many_wait, sync);
    fmt::print(
        "\ntriggers a second: {:.0f} with 64 clients ({:.1f} share a commit), {:.0f} one at a "
        "time: {:.1f} times (goal: 8)\n",
        many, shared, one, many / one);
    return 0;
}
