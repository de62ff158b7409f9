#include "store/migrate.h"

#include "base/log.h"

namespace berth {
namespace {

// Ours have neither triggers nor views: a planted one would run with our rights.
Result<void> check_schema(Db& db, std::string_view what) {
    const auto planted =
        db.one("select type, name from sqlite_schema where type in ('trigger', 'view')");
    if (planted)
        return fail_at(FailureKind::invalid, std::string{what},
                       "'{}' holds the {} '{}', which Berth did not make; restore a backup", what,
                       planted->text(0), planted->text(1));
    const auto tables = db.must("select count(*) from sqlite_schema where type = 'table'");
    const auto ours =
        db.one("select 1 from sqlite_schema where type = 'table' and name = 'migrations'");
    if (!ours && tables.integer(0) > 0)
        return fail_at(FailureKind::invalid, std::string{what},
                       "'{}' is a database, but not a Berth store; move it away, or name another "
                       "directory",
                       what);
    return {};
}

}  // namespace

Result<void> migrate(Db& db, std::string_view what, Time now, std::span<const Migration> steps) {
    if (auto ok = check_schema(db, what); !ok) return ok;
    db.exec_script(
        "create table if not exists migrations ("
        " number integer primary key, name text not null, applied integer not null) strict");
    const auto has = db.must("select coalesce(max(number), 0) from migrations").integer(0);
    const auto knows = steps.back().number;
    if (has > knows)
        return fail_at(FailureKind::conflict, std::string{what},
                       "'{}' was written by a newer Berth: its schema has version {}, this program "
                       "knows version {}; start the newer program, or restore a backup",
                       what, has, knows);

    for (const Migration& step : steps) {
        if (step.number <= has) continue;
        Tx tx{db, Tx::Mode::write};
        db.exec_script(std::string{step.sql});
        db.exec("insert into migrations (number, name, applied) values ($1, $2, $3)",
                {step.number, step.name, now});
        tx.commit();
        log_info("schema brought up to date",
                 {{"store", what}, {"version", step.number}, {"step", step.name}});
    }
    return {};
}

}  // namespace berth
