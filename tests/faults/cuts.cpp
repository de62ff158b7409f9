#include "tests/faults/cuts.h"

#include <fmt/format.h>

#include <optional>

#include "base/log.h"
#include "store/db_sqlite.h"
#include "store/migrate.h"
#include "tests/faults/model.h"
#include "tests/faults/operations.h"
#include "tests/faults/vfs.h"

namespace berth::test {
namespace {

constexpr const char* kPath = "/faulty/berth.db";
constexpr const char* kLookedAt = "/looked-at/berth.db";
constexpr std::uint64_t kCutsPerWorld = 600;  // then an empty disk again
constexpr std::uint64_t kCutsPerLife = 40;    // then the power really goes
constexpr std::size_t kMostWrong = 5;

class Machine {
public:
    explicit Machine(const CutOptions& options)
        : options_{options}, vfs_{options.seed}, dice_{std::mt19937_64{options.seed}} {
        report_.answered.resize(operations().size());
    }

    CutReport run() {
        while (report_.cuts < options_.cuts && report_.wrong.size() < kMostWrong) {
            if (report_.cuts >= world_until_) new_world();
            live_until_cut();
            close();
            ++report_.cuts;
            ++report_.restarts;
            vfs_.with_disk([&](Disk& disk) { disk.restore_power(dice_.random); });
        }
        return report_;
    }

private:
    using Fingerprint = std::optional<std::uint64_t>;

    // What a power cut left, and what it may be.
    struct Cut {
        Disk::Image left;
        Fingerprint acknowledged, in_flight;
        Promises promises;
    };

    void new_world() {
        vfs_.with_disk([](Disk& disk) { disk.load({}); });
        promises_.clear();
        acknowledged_.reset();
        in_flight_.reset();
        any_state_ = true;
        world_until_ = report_.cuts + kCutsPerWorld;
    }

    // From switching on to the moment when the power really goes.
    void live_until_cut() {
        bool opened = false;
        const bool soon = any_state_ || dice_.one_in(4);
        try {
            if (soon)
                vfs_.with_disk([&](Disk& disk) {
                    disk.cut_power_after(1 + dice_.below(any_state_ ? 150 : 10));
                });
            open();
            look(*db_, acknowledged_, in_flight_, promises_);
            begin_from(*db_);
            opened = true;
            if (!soon) put_cuts_aside();
            while (report_.cuts < life_until_) {
                work();
                look_at_cuts();
                if (dice_.one_in(60)) {  // an orderly restart
                    close();
                    open();
                }
            }
            vfs_.with_disk([&](Disk& disk) { disk.cut_power_after(1 + dice_.below(20)); });
            for (;;)
                work();
        } catch (const StoreError& error) {
            if (vfs_.with_disk([](Disk& disk) { return disk.has_power(); }))
                wrong(fmt::format("an error with the power on: {}", error.what()));
        }
        vfs_.with_disk([](Disk& disk) { disk.on_change({}); });
        cuts_.clear();
        if (!opened) ++report_.in_recovery;
        if (opened && in_flight_) ++report_.in_flight;
    }

    void open() {
        db_ = connect(kPath);
        if (auto ok = migrate(*db_, "berth.db", dice_.now); !ok) wrong(ok.error().message);
        checkpointer_ = connect(kPath);
    }

    std::unique_ptr<SqliteDb> connect(const char* path) {
        auto db = SqliteDb::open(path, SqliteDb::Access::read_write);
        if (!db) throw StoreError{StoreError::Kind::corrupt, db.error().message};
        if (options_.synchronous_normal) (*db)->exec_script("pragma synchronous=normal");
        return *std::move(db);
    }

    void close() {
        db_.reset();
        checkpointer_.reset();
        looker_.reset();
    }

    void begin_from(Db& db) {
        any_state_ = false;
        acknowledged_ = fingerprint(db);
        in_flight_.reset();
        promises_.take_from(db);
        life_until_ = report_.cuts + kCutsPerLife;
    }

    // From now on, at random changes of the disk. Looked at when SQLite is done with
    // what it is doing.
    void put_cuts_aside() {
        vfs_.with_disk([&](Disk& disk) {
            disk.on_change([this, &disk, in = dice_.below(8)]() mutable {
                if (in-- > 0) return;
                in = dice_.below(8);
                cuts_.push_back(
                    {disk.survivors(dice_.random, kPath), acknowledged_, in_flight_, promises_});
            });
        });
    }

    void look_at_cuts() {
        for (Cut& cut : std::exchange(cuts_, {})) {
            // Only a switch to the log's mode has a journal: a database that was cut off while
            // it was made comes back with a log and without the mark that it has one. Whoever
            // has it open already does not look for one.
            if (!cut.left[std::string{kPath} + "-journal"].empty()) looker_.reset();
            vfs_.with_disk([&](Disk& disk) {
                for (const char* part : {"", "-wal", "-journal"})
                    disk.replace(std::string{kLookedAt} + part,
                                 std::move(cut.left[std::string{kPath} + part]));
            });
            vfs_.forget_memory(kLookedAt);
            // Kept open: reading the schema costs more than all the rest.
            if (!looker_) looker_ = connect(kLookedAt);
            if (cut.in_flight) ++report_.in_flight;
            look(*looker_, cut.acknowledged, cut.in_flight, cut.promises);
            ++report_.cuts;
        }
    }

    // What came back, held against what was promised.
    void look(Db& db, Fingerprint acknowledged, Fingerprint in_flight, const Promises& promises) {
        Tx tx{db, Tx::Mode::read};
        const auto found = fingerprint(db);
        const bool kept = in_flight && found == *in_flight;
        if (kept) ++report_.in_flight_kept;
        const auto lost = promises.lost(db);
        if (!any_state_ && !kept && found != acknowledged) {
            ++report_.cuts_with_loss;
            report_.triggers_lost += lost;
            if (!options_.synchronous_normal) wrong("what was acknowledged is not what came back");
        } else if (lost > 0) {
            wrong(fmt::format("{} acknowledged triggers are gone", lost));
        }
        for (const std::string& damaged : damage(db))
            wrong(damaged);
        if (fits_ != found)
            for (const std::string& rule : broken_rules(db))
                wrong(rule);
        fits_ = found;
        tx.commit();
    }

    // A group commit of a few operations, as the store's writer thread makes it.
    void work() {
        if (dice_.one_in(12)) {
            const auto mode =
                dice_.one_in(4) ? SqliteDb::Checkpoint::truncate : SqliteDb::Checkpoint::passive;
            return (dice_.one_in(2) ? checkpointer_ : db_)->checkpoint(mode);
        }
        dice_.now += std::chrono::seconds{1};
        std::vector<std::string> accepted;
        bool removed = false;
        Tx tx{*db_, Tx::Mode::write};
        const std::size_t together = 1 + dice_.below(4);
        for (std::size_t i = 0; i < together; ++i) {
            const Operation& operation = any_operation(dice_);
            db_->savepoint();
            auto done = operation.run(*db_, dice_);
            if (!done) {
                db_->rollback_to_savepoint();
                continue;
            }
            db_->release_savepoint();
            ++report_.answered[static_cast<std::size_t>(&operation - operations().data())];
            if (operation.name == std::string_view{"accept_trigger"}) accepted.push_back(*done);
            if (operation.name == std::string_view{"remove_runs"} ||
                operation.name == std::string_view{"delete_tenant"})
                removed = true;
        }
        const auto after = fingerprint(*db_);
        in_flight_ = after;
        // What is being removed may be gone, and may be there.
        if (removed) {
            promises_.forget_what_is_gone(*db_);
            std::erase_if(accepted, [&](const std::string& trigger) {  // in this very commit
                return !db_->one("select 1 from triggers where id = $1", {trigger});
            });
        }
        tx.commit();
        // From here on a client may have been told.
        if (!vfs_.with_disk([](Disk& disk) { return disk.has_power(); }))
            throw StoreError{StoreError::Kind::io, "the power went after the commit"};
        acknowledged_ = after;
        in_flight_.reset();
        for (std::string& trigger : accepted)
            promises_.accepted(std::move(trigger));
        ++report_.commits;
        report_.operations += together;
    }

    void wrong(const std::string& what) {
        report_.wrong.push_back(fmt::format("cut {}: {}", report_.cuts, what));
    }

    const CutOptions options_;
    FaultyVfs vfs_;
    Dice dice_;
    CutReport report_;
    Promises promises_;
    Fingerprint acknowledged_;
    Fingerprint in_flight_;
    Fingerprint fits_;                                // its rules have been checked
    bool any_state_ = true;                           // nothing was promised yet
    std::uint64_t world_until_ = 0, life_until_ = 0;  // in cuts
    std::vector<Cut> cuts_;
    std::unique_ptr<SqliteDb> db_;
    std::unique_ptr<SqliteDb> checkpointer_;
    std::unique_ptr<SqliteDb> looker_;
};

}  // namespace

CutReport cut_power(const CutOptions& options) {
    set_log_sink([](LogLevel, std::string_view, LogFields) {});  // a line per migration
    return Machine{options}.run();
}

}  // namespace berth::test
