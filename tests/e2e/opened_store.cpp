#include "tests/e2e/opened_store.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "base/clock.h"
#include "store/db_sqlite.h"
#include "store/keys.h"
#include "store/settings.h"
#include "vault/keeper.h"

namespace berth::test {
namespace {

Result<void> load(vault_open::Keeper& keeper, Db& db) {
    std::vector<vault::WrappedKey> keks;
    for (const KekRow& kek : list_keks(db))
        keks.push_back({kek.term, kek.envelope});
    const Tx tx{db, Tx::Mode::read};
    auto loaded = keeper.load(install_id(db, {"a test", Time{}}).value(), keks);
    if (!loaded) return pass_on(loaded);
    return {};
}

}  // namespace

OpenedStore open_store(const std::filesystem::path& folder, const std::string& root_key) {
    const auto opened = SqliteDb::open(folder / "berth.db", SqliteDb::Access::read_write);
    REQUIRE(opened);
    Db& db = **opened;
    vault_open::Keeper keeper{vault::make_root_key(Secret{root_key})};
    OpenedStore all;
    if (const auto loaded = load(keeper, db); !loaded) {
        all.unreadable.push_back("all: " + loaded.error().message);
        return all;
    }
    for (const Row& row : db.query(
             "select c.tenant_id, c.integration_id, k.name, c.connector_id, s.field, s.version,"
             " s.envelope from secrets s join connections c on c.id = s.connection_id"
             " join connectors k on k.id = c.connector_id")) {
        const bool global = row.is_null(0);
        const KeyScope scope{global ? KeyScope::Kind::integration : KeyScope::Kind::tenant,
                             row.integer(global ? 1 : 0)};
        const auto name = fmt::format("{}/{}/{}", global ? "all" : std::to_string(row.integer(0)),
                                      row.text(2), row.text(4));
        const auto key = data_key_of(db, scope, row.text(6));
        if (!key) {
            all.unreadable.push_back(name + ": " + key.error().message);
            ++all.under_lost_keys;
            continue;
        }
        const vault::Scope of{global ? vault::ScopeKind::integration : vault::ScopeKind::tenant,
                              scope.id};
        const auto value = keeper.open(
            {key->id, key->envelope},
            {of, row.integer(3), row.text(4), static_cast<std::uint64_t>(row.integer(5))},
            row.text(6));
        if (value)
            all.values[name] = value->reveal();
        else
            all.unreadable.push_back(name + ": " + value.error().message);
    }
    const Row counts = db.must(
        "select (select count(*) from (select distinct scope_kind, scope_id from data_keys)),"
        " (select count(*) from data_keys), (select count(*) from keks)");
    all.scopes = counts.integer(0);
    all.data_keys = counts.integer(1);
    all.keks = counts.integer(2);
    return all;
}

}  // namespace berth::test
