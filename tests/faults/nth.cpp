#include "tests/faults/nth.h"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>

#include "base/file.h"
#include "base/log.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "store/db_sqlite.h"
#include "store/migrate.h"
#include "store/settings.h"
#include "store/store.h"
#include "tests/faults/model.h"
#include "tests/faults/vfs.h"

namespace berth::test {
namespace {

constexpr std::size_t kMostWrong = 10;
constexpr std::uint64_t kMostN = 2'000;
constexpr int kMostWalks = 100, kStepsOfAWalk = 20;

class FixedClock final : public Clock {
public:
    Time now() const override { return time_from_micros(1'800'000'000'000'000); }
    SteadyTime steady() const override { return SteadyTime{}; }
};

// A store as it is found at a start.
struct Base {
    Disk::Image image;
    std::uint64_t print = 0;
};

// A successful operation, how it was chosen, and what it makes of the store.
struct Wanted {
    Base base{};
    Dice dice{};
    std::string answer{};
    std::uint64_t after = 0;  // fingerprint
};

}  // namespace

std::string describe(const Fault& fault) {
    constexpr const char* kNames[] = {"EIO", "ENOSPC", "a short write", "a failed fsync"};
    return fmt::format("{} at access {}{}", kNames[static_cast<int>(fault.kind)], fault.at,
                       fault.persistent ? " and all after it" : "");
}

struct NthFault::Impl {
    explicit Impl(std::uint64_t seed) : vfs{seed}, random{seed} {
        set_log_sink([](LogLevel, std::string_view, LogFields) {});
        prepare();
    }

    std::unique_ptr<SqliteDb> connect() {
        auto db = SqliteDb::open(path, SqliteDb::Access::read_write);
        if (!db) throw StoreError{StoreError::Kind::corrupt, db.error().message};
        return *std::move(db);
    }
    void load(const Disk::Image& image) {
        vfs.with_disk([&](Disk& disk) { disk.load(image); });
    }
    Disk::Image image() {
        return vfs.with_disk([](Disk& disk) { return disk.image(); });
    }

    void prepare() {
        {
            auto db = connect();
            migrate_or_throw(*db, migrations().first(1));
            old_schema = image();
        }
        load({});
        auto db = connect();
        migrate_or_throw(*db, migrations());
        if (!install_id(*db, {"uid 0", clock.now()})) throw std::logic_error{"no id"};
        Dice dice{random};
        for (const int operations : {3, 10, 20, 30, 100, 300, 500}) {
            work(*db, dice, operations);
            bases.push_back({image(), fingerprint(*db)});
        }
        db->checkpoint(SqliteDb::Checkpoint::passive);
        work(*db, dice, 100);
        after_power_cut = {image(), fingerprint(*db)};
        db.reset();
        after_orderly_end = {image(), after_power_cut.print};
        if (after_orderly_end.image.size() != 1) throw std::logic_error{"the log was left behind"};
    }
    static void work(Db& db, Dice& dice, int operations) {
        for (int i = 0; i < operations; ++i) {
            dice.now += std::chrono::seconds{1};
            run_and_commit(db, any_operation(dice), dice);
        }
    }
    void migrate_or_throw(Db& db, std::span<const Migration> steps) {
        if (auto ok = migrate(db, "berth.db", FixedClock{}.now(), steps); !ok)
            throw std::runtime_error{ok.error().message};
    }

    static std::optional<std::string> run_and_commit(Db& db, const Operation& operation,
                                                     Dice& dice) {
        Tx tx{db, Tx::Mode::write};
        auto done = operation.run(db, dice);
        if (!done) return {};
        tx.commit();
        return *done;
    }

    // A way for the operation to succeed, best one that changes something if it writes:
    // from each base the store's life goes on until there is work for the operation.
    std::optional<Wanted> find(const Operation& operation) {
        std::optional<Wanted> found;
        for (int walk = 0; walk < kMostWalks; ++walk) {
            load(bases[static_cast<std::size_t>(walk) % bases.size()].image);
            auto db = connect();
            Dice life{std::mt19937_64{random()}};
            if (walk % 3 == 0) life.now += std::chrono::hours{1};
            for (int step = 0; step < kStepsOfAWalk; ++step) {
                const Base before{image(), fingerprint(*db)};
                const Dice start{std::mt19937_64{random()}, life.now};
                Dice dice = start;
                if (const auto answer = run_and_commit(*db, operation, dice)) {
                    found = Wanted{before, start, *answer, fingerprint(*db)};
                    if (operation.effect == Effect::reads || found->after != before.print)
                        return found;
                }
                work(*db, life, 1);
            }
        }
        return found;
    }

    Result<std::unique_ptr<Store>> open_store() { return Store::open(dir.path(), loop, clock); }

    Result<std::string> ask(Store& store, const Operation& operation, const Dice& dice) {
        std::optional<Result<std::string>> got;
        const auto op = [&operation, dice](Db& db) {
            Dice own = dice;
            return operation.run(db, own);
        };
        const auto done = [&](Result<std::string> result) {
            got = std::move(result);
            loop.stop();
        };
        if (operation.effect == Effect::writes)
            store.write(op, done);
        else
            store.read(op, done);
        Timer deadline{loop, [this] { loop.stop(); }};
        deadline.start(std::chrono::seconds{300});
        while (!got && deadline.armed())
            loop.run();
        if (!got) throw std::runtime_error{"no answer came"};
        return *got;
    }

    // What is on the disk once the machine has been switched off and on again.
    std::uint64_t look_again(NthReport& report, const std::string& where) {
        vfs.with_disk([&](Disk& disk) { disk.restore_power(random); });
        auto db = connect();
        if (auto ok = migrate(*db, "berth.db", clock.now()); !ok)
            report.wrong.push_back(where + ": " + ok.error().message);
        for (const auto& wrong : {damage(*db), broken_rules(*db)})
            for (const std::string& sentence : wrong)
                report.wrong.push_back(fmt::format("{}: {}", where, sentence));
        return fingerprint(*db);
    }

    FixedClock clock;
    TempDir dir{"berth-nth"};
    const std::filesystem::path path = dir.path() / "berth.db";
    Loop loop;
    FaultyVfs vfs;
    std::mt19937_64 random;
    std::vector<Base> bases;  // of different ages
    Base after_power_cut, after_orderly_end;
    Disk::Image old_schema;
};

NthFault::NthFault(std::uint64_t seed) : impl_{std::make_unique<Impl>(seed)} {}
NthFault::~NthFault() = default;

namespace {

// Calls try_one(fault) for every kind, once and persistent, with N from 1 on until it
// says that the fault was not met. Once at every N; what lasts, at every third of them, from
// where the seed says: each such N is one of some operation. BERTH_FAULTS=full: at all.
void for_every_n(NthReport& report, std::mt19937_64& random,
                 const std::function<bool(const Fault&)>& try_one) {
    using enum Fault::Kind;
    static const std::uint64_t kStride = std::getenv("BERTH_FAULTS") != nullptr ? 1 : 3;
    for (const auto kind : {io_error, no_space, short_write, failed_sync})
        for (const bool persistent : {false, true})
            for (std::uint64_t n = persistent ? 1 + random() % kStride : 1;
                 report.wrong.size() < kMostWrong; n += persistent ? kStride : 1) {
                const Fault fault{kind, n, persistent};
                if (n > kMostN) report.wrong.push_back("no end at " + describe(fault));
                if (n > kMostN || !try_one(fault)) break;
                ++report.faults;
                report.deepest = std::max(report.deepest, n);
            }
}

}  // namespace

void NthFault::operation(const Operation& operation, NthReport& report) {
    Impl& my = *impl_;
    const auto wanted = my.find(operation);
    if (!wanted) {
        report.wrong.push_back(fmt::format("no way was found for {} to succeed", operation.name));
        return;
    }
    const auto before = wanted->base.print;
    for_every_n(report, my.random, [&](const Fault& fault) {
        const auto where = fmt::format("{}: {}", operation.name, describe(fault));
        const auto complain = [&](const std::string& what) {
            report.wrong.push_back(where + ": " + what);
        };
        my.load(wanted->base.image);
        auto store = my.open_store();
        if (!store) throw std::runtime_error{store.error().message};
        bool broken = false;
        (*store)->on_broken([&](const Failure&) { broken = true; });
        my.vfs.with_disk([&](Disk& disk) { disk.arm(fault); });
        const auto answer = my.ask(**store, operation, wanted->dice);
        const bool met = my.vfs.with_disk([](Disk& disk) { return disk.faults_hit() > 0; });

        if (answer && *answer != wanted->answer)
            complain(fmt::format("it answered '{}', not '{}'", *answer, wanted->answer));
        if (!answer && answer.error().kind != FailureKind::unavailable)
            complain("it was refused for another reason: " + answer.error().message);
        if (!answer && !met) complain("it was refused without a fault");
        ++(answer ? report.survived : report.refused);

        // Whoever could not write because of the disk stays closed; a full one heals.
        if (!answer && operation.effect == Effect::writes) {
            my.vfs.with_disk([](Disk& disk) { disk.disarm(); });
            const auto again = my.ask(**store, operation, wanted->dice);
            my.loop.post([&] { my.loop.stop(); });
            my.loop.run();  // so that on_broken can have been heard
            if (fault.kind == Fault::Kind::no_space && !broken && !again)
                complain("it did not heal: " + again.error().message);
            if (fault.kind != Fault::Kind::no_space && !broken)
                complain("the store went on after it");
            if (broken && again) complain("a broken store has written");
            if (again) {
                store->reset();
                if (my.look_again(report, where) != wanted->after)
                    complain("healed, but it is not there");
                return met;
            }
        }
        store->reset();
        my.vfs.with_disk([](Disk& disk) { disk.disarm(); });
        const auto found = my.look_again(report, where);
        if (answer && found != wanted->after) complain("it was acknowledged and is not there");
        if (!answer && found != before && found != wanted->after) complain("a half of it is there");
        if (!answer && found == wanted->after && wanted->after != before) ++report.kept;
        return met;
    });
}

void NthFault::start(Start from, NthReport& report) {
    Impl& my = *impl_;
    const Disk::Image empty;
    const Disk::Image& image = from == Start::empty_disk        ? empty
                               : from == Start::old_schema      ? my.old_schema
                               : from == Start::after_power_cut ? my.after_power_cut.image
                                                                : my.after_orderly_end.image;
    const bool has_rows = from == Start::after_power_cut || from == Start::after_orderly_end;
    for_every_n(report, my.random, [&](const Fault& fault) {
        const auto where = fmt::format("start {}: {}", static_cast<int>(from), describe(fault));
        my.load(image);
        my.vfs.with_disk([&](Disk& disk) { disk.arm(fault); });
        bool opened = false;
        try {
            auto store = my.open_store();
            opened = store.has_value();
            if (!store) report.wrong.push_back(where + ": blames " + store.error().message);
        } catch (const StoreError&) {  // what main() says and ends with
        } catch (const SystemError&) {
        }
        const bool met = my.vfs.with_disk([](Disk& disk) { return disk.faults_hit() > 0; });
        if (!opened && !met) report.wrong.push_back(where + ": refused without a fault");
        ++(opened ? report.survived : report.refused);
        my.vfs.with_disk([](Disk& disk) { disk.disarm(); });
        const auto found = my.look_again(report, where);
        if (has_rows && found != my.after_power_cut.print)
            report.wrong.push_back(where + ": rows have changed");
        return met;
    });
}

}  // namespace berth::test
