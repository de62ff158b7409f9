#include "daemon/retention.h"

#include <utility>

#include "store/jobs.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kFirst = 1min;  // a start has other things to do
constexpr auto kEvery = 1h;
constexpr std::int64_t kKeysOfSlice = 500;
constexpr std::int64_t kRunsOfLook = 200;
constexpr std::int64_t kPagesOfSlice = 256;  // 1 MiB

}  // namespace

// One pass: keys, old runs, tenants past their quota, days of logs, free pages. Each
// step asks the store for a slice and goes on in its answer; whoever answers late,
// after the end of all, finds the sweep gone.
struct Retention::Sweep : std::enable_shared_from_this<Sweep> {
    Sweep(Retention& its_owner, Time now)
        : owner{its_owner}, cut{retention_cut(owner.parts_.policy, now)} {}

    // Asks for a slice; `then` gets its value, a failure ends the sweep.
    template <typename Op, typename Then>
    void write(Op op, Then then) {
        ++swept.slices;
        owner.parts_.store.write(std::move(op), guarded(std::move(then)));
    }
    // Not called once the sweep is over; a failure ends it.
    template <typename Then>
    auto guarded(Then then) {
        return [weak = weak_from_this(), then = std::move(then)](auto result) mutable {
            const auto self = weak.lock();
            if (!self) return;
            if (!result) return self->owner.end(tl::unexpected<Failure>{result.error()});
            if constexpr (requires { then(*self, *result); })
                then(*self, *result);
            else
                then(*self);
        };
    }

    void forget_keys() {
        write(
            [now_cut = cut](Db& db) { return forget_idempotency_keys(db, now_cut, kKeysOfSlice); },
            [](Sweep& self, std::int64_t forgotten) {
                self.swept.keys += forgotten;
                if (forgotten == kKeysOfSlice) return self.forget_keys();
                self.forget_jobs();
            });
    }

    void forget_jobs() {
        write(
            [before = cut.runs](Db& db) { return berth::forget_jobs(db, before, kKeysOfSlice); },
            [](Sweep& self, std::int64_t forgotten) {
                if (forgotten == kKeysOfSlice) return self.forget_jobs();
                self.look_for_old();
            });
    }

    void look_for_old() {
        owner.parts_.store.read(
            [now_cut = cut, from = age](Db& db) {
                AgeCursor cursor = from;
                auto old = runs_past_age(db, now_cut, cursor, kRunsOfLook);
                return std::pair{std::move(old), cursor};
            },
            guarded([](Sweep& self, std::pair<std::vector<ExpiredRun>, AgeCursor>& found) {
                if (found.first.empty()) return self.look_for_too_many();
                self.age = found.second;
                self.runs = std::move(found.first);
                // Their logs go with the files of their days.
                self.remove_runs_then(&Sweep::look_for_old);
            }));
    }

    void remove_runs_then(void (Sweep::*next)()) {
        if (runs.empty()) return (this->*next)();
        write([some = runs](Db& db) { return remove_runs(db, some); },
              [next](Sweep& self, const RemovedRuns& slice) {
                  self.swept.runs += slice.removed;
                  self.runs.erase(self.runs.begin(),
                                  self.runs.begin() + static_cast<std::ptrdiff_t>(slice.done));
                  self.remove_runs_then(next);
              });
    }

    void look_for_too_many() {
        owner.parts_.store.read(
            [policy = owner.parts_.policy, from = tenant](Db& db) {
                TenantId cursor = from;
                auto past = runs_past_quota(db, policy, cursor, kRunsOfLook);
                return std::pair{std::move(past), cursor};
            },
            guarded([](Sweep& self,
                       std::pair<std::optional<std::vector<ExpiredRun>>, TenantId>& found) {
                if (!found.first) return self.remove_days();
                self.tenant = found.second;
                self.runs = std::move(*found.first);
                self.unlogged = self.runs;
                self.remove_logs();
            }));
    }

    // Before the rows: a log without its run would be found by nobody.
    void remove_logs() {
        if (unlogged.empty()) return remove_runs_then(&Sweep::look_for_too_many);
        const ExpiredRun run = unlogged.back();
        unlogged.pop_back();
        owner.parts_.logs.remove_run(run.id, run.created, run.completed,
                                     guarded([](Sweep& self) { self.remove_logs(); }));
    }

    void remove_days() {
        owner.parts_.logs.remove_before(cut.logs, guarded([](Sweep& self, std::int64_t days) {
                                            self.swept.log_days = days;
                                            self.give_back();
                                        }));
    }

    void give_back() {
        write([](Db& db) { return give_pages_back(db, kPagesOfSlice); },
              [](Sweep& self, std::int64_t given) {
                  self.swept.pages += given;
                  if (given > 0) return self.give_back();
                  if (self.swept.pages > 0) self.owner.parts_.store.checkpoint();
                  self.owner.end(self.swept);
              });
    }

    Retention& owner;
    const RetentionCut cut;
    Swept swept{};
    AgeCursor age{};
    TenantId tenant{};
    std::vector<ExpiredRun> runs{};      // to be removed
    std::vector<ExpiredRun> unlogged{};  // and their logs first
};

Retention::Retention(Parts parts, std::function<void(Result<Swept>)> swept)
    : parts_{parts}, swept_{std::move(swept)}, alarm_{parts_.alarms.make([this] { begin(); })} {}

Retention::~Retention() = default;

void Retention::open() {
    closed_ = false;
    alarm_->start(kFirst);
}

void Retention::close() {
    closed_ = true;
    sweep_.reset();
}

void Retention::begin() {
    if (closed_ || sweep_) return;
    sweep_ = std::make_shared<Sweep>(*this, parts_.clock.now());
    sweep_->forget_keys();
}

void Retention::end(Result<Swept> result) {
    sweep_.reset();
    if (closed_) return;
    alarm_->start(kEvery);
    swept_(std::move(result));
}

}  // namespace berth
