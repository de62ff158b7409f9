// `berth doctor`, `berth health`, `berth version`.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/fields.h"
#include "cli/host.h"
#include "cli/host_checks.h"

namespace berth {
namespace {

// The daemon's findings as ours. Only what it calls `needed` decides the verdict.
std::vector<Check> daemon_checks(const Json& answer) {
    std::vector<Check> checks;
    const Json& list = inner(answer, "checks");
    if (!list.is_array()) return checks;
    for (const Json& entry : list)
        checks.push_back({field(entry, "name"),
                          flag(entry, "needed") ? Weight::needed : Weight::advised,
                          flag(entry, "ok"), field(entry, "detail"), field(entry, "cure")});
    return checks;
}

Json to_json(const std::vector<Check>& checks) {
    Json list = Json::array();
    for (const Check& check : checks)
        list.push_back({{"name", check.name},
                        {"needed", check.weight == Weight::needed},
                        {"ok", check.ok},
                        {"detail", check.detail},
                        {"protects", what_it_protects(check.name)},
                        {"cure", check.ok ? "" : check.cure}});
    return list;
}

Cell state_of(const Check& check) {
    if (check.ok) return {"active", Tone::good};
    if (check.weight == Weight::needed) return {"not active, needed", Tone::bad};
    return {"not active", Tone::warning};
}

void print_checks(Session& session, const std::vector<Check>& checks) {
    Table table{{"CHECK", "STATE", "FOUND", "PROTECTS"}};
    for (const Check& check : checks)
        table.row(
            {check.name, state_of(check), check.detail, std::string{what_it_protects(check.name)}});
    session.print(table);
}

void print_cures(Session& session, const std::vector<Check>& checks) {
    for (const Check& check : checks)
        if (!check.ok && !check.cure.empty())
            session.io.out << "  " << shown(check.name) << ": " << shown(check.cure) << '\n';
}

}  // namespace

Result<Exit> doctor(Session& session, const std::filesystem::path& state_dir) {
    const std::vector<Check> host = judge(gather_host_facts(state_dir));
    Api api{session.socket, Api::kBrisk};
    auto answer = api.get(api_path({"doctor"}));
    const std::vector<Check> daemon = answer ? daemon_checks(*answer) : std::vector<Check>{};
    const bool good = all_needed(host) && all_needed(daemon);
    const Exit exit = good ? Exit::ok : Exit::failed;
    if (session.json()) {
        session.print(Json{
            {"ok", good}, {"host", to_json(host)}, {"daemon", answer ? to_json(daemon) : Json{}}});
        return exit;
    }
    session.io.out << toned("This host", Tone::heading, session.colour()) << '\n';
    print_checks(session, host);
    if (answer) {
        session.io.out << '\n' << toned("The daemons", Tone::heading, session.colour()) << '\n';
        print_checks(session, daemon);
    }
    session.io.out << '\n';
    const auto all_ok = [](const auto& checks) {
        return std::ranges::all_of(checks, [](const Check& check) { return check.ok; });
    };
    if (!all_ok(host) || !all_ok(daemon)) {
        session.io.out << "What to do about what is not active\n";
        print_cures(session, host);
        print_cures(session, daemon);
        session.io.out << '\n';
    }
    session.io.out << (good ? "Nothing that runs need is missing.\n"
                            : "Something that runs need is missing: they will not start.\n");
    if (!answer)
        session.remark(fmt::format("only the host was looked at: {}", answer.error().message));
    return exit;
}

Result<Exit> health(Session& session) {
    Api api{session.socket, Api::kBrisk};
    auto alive = api.get(api_path({"health"}));
    if (!alive) return pass_on(alive);
    auto ready = api.get_any(api_path({"ready"}));
    if (!ready) return pass_on(ready);
    const Exit exit = flag(*ready, "ready") ? Exit::ok : Exit::failed;
    if (session.json()) {
        alive->update(*ready);
        session.print(*alive);
        return exit;
    }
    std::string waiting;
    if (const Json& list = inner(*ready, "waiting_for"); list.is_array())
        for (const Json& part : list)
            waiting += (waiting.empty() ? "" : ", ") +
                       (part.is_string() ? part.get<std::string>() : to_text(part));
    Record record;
    record.line("status", field(*alive, "status"));
    record.line("ready", exit == Exit::ok ? Cell{"yes", Tone::good} : Cell{"no", Tone::warning});
    record.line("waiting for", waiting);
    record.line("version", field(*alive, "version"));
    record.line("started", short_time(field(*alive, "started_date")));
    session.print(record);
    return exit;
}

Result<Exit> version(Session& session) {
    Api api{session.socket, Api::kBrisk};
    auto alive = api.get(api_path({"health"}));
    const std::string daemon = alive ? field(*alive, "version") : "";
    if (session.json()) {
        session.print(Json{{"berth", BERTH_VERSION}, {"daemon", alive ? Json(daemon) : Json()}});
        return Exit::ok;
    }
    session.io.out << "berth " << BERTH_VERSION << '\n';
    if (alive)
        session.io.out << "berthd " << shown(daemon) << '\n';
    else
        session.remark(alive.error().message);
    return Exit::ok;
}

}  // namespace berth
