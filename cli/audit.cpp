// `berth audit`: who changed what, and whether the record of it is whole.
#include <nlohmann/json.hpp>

#include "cli/fields.h"
#include "cli/host.h"

namespace berth {

Result<Exit> audit_list(Session& session, const AuditFilter& filter) {
    Pairs query{{"limit", std::to_string(filter.limit)}};
    if (filter.before > 0) query.emplace_back("before", std::to_string(filter.before));
    auto rows = session.api().get(api_path({"audit"}, query));
    if (!rows) return pass_on(rows);
    if (session.json()) {
        session.print(*rows);
        return Exit::ok;
    }
    if (rows->empty()) {
        session.remark("nothing has been changed yet");
        return Exit::ok;
    }
    Table table{{"ROW", "WHEN", "WHO", "WHAT", "OF", "DETAIL"}};
    for (const Json& row : *rows)
        table.row({field(row, "seq"), short_time(field(row, "date")), field(row, "actor"),
                   field(row, "action"), field(row, "object"), field(row, "detail")});
    session.print(table);
    const auto last = number(rows->back(), "seq").value_or(1);
    if (last > 1 && static_cast<std::int64_t>(rows->size()) == filter.limit)
        session.remark(fmt::format("there are more: --before {}", last));
    return Exit::ok;
}

Result<Exit> audit_verify(Session& session, const std::string& head) {
    Json body = Json::object();
    if (!head.empty()) body["head"] = head;
    auto verdict = session.api().send("POST", api_path({"audit", "verify"}), to_text(body));
    if (!verdict) return pass_on(verdict);
    const bool ok = flag(*verdict, "ok");
    const Exit exit = ok ? Exit::ok : Exit::failed;
    if (session.json()) {
        session.print(*verdict);
        return exit;
    }
    Record record;
    record.line("audit trail", ok ? Cell{"whole", Tone::good} : Cell{"not whole", Tone::bad});
    record.line("problem", Cell{field(*verdict, "problem"), Tone::bad});
    record.line(ok ? "rows" : "whole until row", field(*verdict, "rows"));
    if (ok) record.line("head", field(*verdict, "head"));
    session.print(record);
    if (ok && head.empty())
        session.remark(
            "whoever can write the store can write all of it anew; compare with a head from the "
            "journal: journalctl -u berthd -o json BERTH_AUDIT_HEAD, then --head SEQ:HASH");
    return exit;
}

}  // namespace berth
