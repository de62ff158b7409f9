#include "store/settings.h"

#include "base/crypto.h"
#include "base/text.h"
#include "store/sql.h"

namespace berth {

std::optional<std::string> get_setting(Db& db, std::string_view name) {
    const auto row = db.one("select value from settings where name = $1", {name});
    if (!row) return {};
    return row->text(0);
}

void set_setting(Db& db, const By& by, std::string_view name, std::string_view value) {
    db.exec(
        "insert into settings (name, value, modified) values ($1, $2, $3)"
        " on conflict (name) do update set value = excluded.value, modified = excluded.modified",
        {name, value, by.now});
    audit(db, by, "setting.set", fmt::format("setting '{}'", name));
}

Result<std::string> install_id(Db& db, const By& by) {
    if (const auto hex = get_setting(db, "install_id")) {
        auto id = from_hex(*hex);
        if (!id || id->size() != 16)
            return fail(FailureKind::unavailable,
                        "setting 'install_id' is damaged; restore a backup");
        return *std::move(id);
    }
    std::string id = random_bytes(16);
    set_setting(db, by, "install_id", to_hex(id));
    return id;
}

}  // namespace berth
