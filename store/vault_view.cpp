#include "store/vault_view.h"

#include "store/rotations.h"
#include "store/sql.h"

namespace berth {

VaultView look_at_vault(Db& db) {
    const auto count = [&](std::string_view sql) { return db.must(sql, {}).integer(0); };
    VaultView view;
    view.keks = read_rows(db.query("select term, key_id, created, (select count(*) from data_keys"
                                   " where kek_term = keks.term) from keks order by term"),
                          [](const Row& row) {
                              Columns c{row};
                              KekView kek;
                              kek.term = static_cast<std::uint32_t>(c.integer());
                              kek.root_key =
                                  fmt::format("{:08x}", static_cast<std::uint32_t>(c.integer()));
                              kek.created = c.time();
                              kek.data_keys = c.integer();
                              return kek;
                          });
    view.data_keys = count("select count(*) from data_keys where retired = 0");
    view.retired_data_keys = count("select count(*) from data_keys where retired = 1");
    view.secrets = count("select count(*) from secrets");
    view.secrets_under_retired = count(
        "select count(*) from secrets where key_id in (select id from data_keys"
        " where retired = 1)");
    view.manifests = count("select count(*) from manifests");
    if (const auto last = last_rotation(db))
        view.rotation = RotationView{last->id,
                                     last->kind,
                                     name_of(last->scope),
                                     last->total,
                                     last->finished ? 0 : rotation_left(db, *last),
                                     last->actor,
                                     last->created,
                                     last->finished};
    return view;
}

}  // namespace berth
