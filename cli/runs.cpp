#include "cli/runs.h"

#include <map>
#include <nlohmann/json.hpp>

#include "cli/fields.h"
#include "cli/follow.h"
#include "cli/resolve.h"

namespace berth {
namespace {

std::string trigger_sources(const Json& run) {
    const Json& triggers = inner(run, "triggers");
    std::map<std::string, int> counts;
    if (triggers.is_array())
        for (const Json& trigger : triggers)
            ++counts[field(trigger, "source")];
    std::string text;
    for (const auto& [source, count] : counts) {
        if (!text.empty()) text += ", ";
        text += count == 1 ? source : fmt::format("{} {}", count, source);
    }
    return text;
}

std::string tenant_name(Session& session, std::map<std::string, std::string>& known,
                        const std::string& id) {
    const auto [entry, fresh] = known.try_emplace(id, id);
    if (!fresh || id.empty()) return entry->second;
    if (auto found = session.api().get(api_path({"tenants", id})))
        if (const auto name = field(*found, "name"); !name.empty()) entry->second = name;
    return entry->second;
}

std::string took(const Json& run) {
    return duration(field(run, "started_date"), field(run, "completed_date"));
}

std::string joined(const Json& list) {
    std::string text;
    for (const Json& item : list)
        text += (text.empty() ? "" : ", ") +
                (item.is_string() ? item.get<std::string>() : to_text(item));
    return text;
}

void usage_lines(Record& record, const Json& run) {
    const auto user = number(run, "usage.user_ms"), system = number(run, "usage.system_ms");
    if (user && system)
        record.line("processor", fmt::format("{} ms user, {} ms system", *user, *system));
    if (const auto bytes = number(run, "usage.max_rss_bytes"); bytes && *bytes > 0)
        record.line("memory", size_text(static_cast<std::uint64_t>(*bytes)));
    if (const auto bytes = number(run, "usage.log_bytes"))
        record.line("log",
                    size_text(static_cast<std::uint64_t>(std::max<std::int64_t>(*bytes, 0))));
}

Exit show(Session& session, const Json& run) {
    if (session.json()) {
        session.print(run);
        return Exit::ok;
    }
    std::map<std::string, std::string> names;
    Record record;
    record.line("id", field(run, "id"));
    record.line("tenant", tenant_name(session, names, field(run, "tenant_id")));
    record.line("mode", field(run, "mode"));
    record.line("state", state_cell(run));
    record.line("phase", field(run, "status.phase"));
    record.line("reason", field(run, "reason"));
    record.line("release", field(run, "release_id"));
    record.line("attempt", field(run, "attempt"));
    record.line("triggers", trigger_sources(run));
    record.line("started", short_time(field(run, "started_date")));
    record.line("completed", short_time(field(run, "completed_date")));
    record.line("took", took(run));
    usage_lines(record, run);
    if (const Json& grants = inner(run, "grants"); grants.is_array() && !grants.empty())
        record.line("grants", {joined(grants), Tone::warning});
    record.line("output", field(run, "std_out"));
    session.print(record);
    return Exit::ok;
}

}  // namespace

Result<Exit> run_list(Session& session, const RunFilter& filter) {
    Pairs query = filter.paging.query();
    if (!filter.tenant.empty()) {
        auto tenant = find_tenant(session.api(), filter.tenant, filter.integration);
        if (!tenant) return pass_on(tenant);
        query.emplace_back("tenant_id", field(*tenant, "id"));
    } else if (!filter.integration.empty()) {
        auto integration = find_integration(session.api(), filter.integration);
        if (!integration) return pass_on(integration);
        query.emplace_back("integration_id", field(*integration, "id"));
    }
    if (!filter.state.empty()) query.emplace_back("state", filter.state);
    auto list = session.api().get(api_path({"runs"}, query));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    std::map<std::string, std::string> names;
    Table table{{"ID", "TENANT", "MODE", "STATE", "STARTED (UTC)", "TOOK", "TRIGGERS", "REASON"}};
    for (const Json& run : *list)
        table.row({field(run, "id"), tenant_name(session, names, field(run, "tenant_id")),
                   field(run, "mode"), state_cell(run), short_time(field(run, "started_date")),
                   took(run), trigger_sources(run), field(run, "reason")});
    session.print_list(table, filter.paging, list->size(),
                       "there are no runs here yet; 'berth tenant sync TENANT -f' starts one");
    return Exit::ok;
}

Result<Exit> run_show(Session& session, const std::string& which) {
    auto run = find_run(session.api(), which);
    if (!run) return pass_on(run);
    show(session, *run);
    if (session.json()) return Exit::ok;
    auto events = session.api().get(api_path({"runs", field(*run, "id"), "events"}));
    if (!events) return pass_on(events);
    Table table{{"WHEN (UTC)", "STATE", "ATTEMPT", "NOTE"}};
    for (const Json& event : *events)
        table.row({short_time(field(event, "date")), field(event, "state"), field(event, "attempt"),
                   field(event, "note")});
    if (table.empty()) return Exit::ok;
    session.io.out << '\n';
    session.print(table);
    return Exit::ok;
}

Result<Exit> run_cancel(Session& session, const std::string& which) {
    auto run = find_run(session.api(), which);
    if (!run) return pass_on(run);
    const std::string id = field(*run, "id");
    auto cancelled = session.api().send("POST", api_path({"runs", id, "cancel"}), "");
    if (!cancelled) return pass_on(cancelled);
    if (session.json())
        session.print(*cancelled);
    else if (is_over(*cancelled))
        session.remark(fmt::format("run {} is {}", id, field(*cancelled, "state")));
    else
        session.remark(
            fmt::format("run {} is being stopped; 'berth log {} -f' shows its end", id, id));
    return Exit::ok;
}

Result<Exit> run_trigger_status(Session& session, const std::string& trigger_id) {
    auto status = session.api().get(api_path({"runs", "triggers", trigger_id, "status"}));
    if (!status) return pass_on(status);
    if (session.json()) {
        session.print(*status);
        return Exit::ok;
    }
    Record record;
    record.line("status", field(*status, "status"));
    record.line("run", field(*status, "run_id"));
    session.print(record);
    return Exit::ok;
}

Result<Exit> run_log(Session& session, const std::string& which, const LogOptions& options) {
    auto run = find_run(session.api(), which);
    if (!run) return pass_on(run);
    const std::string id = field(*run, "id");
    if (options.follow) {
        const FollowView view{.log = FollowView::Log::shown,
                              .raw = options.raw,
                              .times = options.times,
                              .only_stream = options.stream};
        auto end = follow_run(session, id, view, {});
        if (!end) return pass_on(end);
        return conclude(session, *end, view);
    }
    Pairs query;
    if (!options.stream.empty()) query.emplace_back("stream", options.stream);
    auto text = session.api().text(api_path({"runs", id, "log"}, query));
    if (!text) return pass_on(text);
    if (session.json())
        session.print(Json{{"run_id", inner(*run, "id")}, {"log", *text}});
    else if (options.raw)
        session.io.out << *text;
    else
        session.io.out << shown_lines(*text);
    return Exit::ok;
}

}  // namespace berth
