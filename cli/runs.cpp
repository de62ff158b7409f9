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

std::uint64_t bytes(const Json& run, std::string_view path) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(number(run, path).value_or(0), 0));
}

// Of all its processes together where a cgroup counted them, and of the largest.
std::string memory_text(const Json& run) {
    const auto peak = bytes(run, "usage.memory_peak_bytes");
    const auto largest = bytes(run, "usage.max_rss_bytes");
    if (peak == 0) return largest == 0 ? "" : size_text(largest);
    return fmt::format("{} at its peak, {} the largest process", size_text(peak),
                       size_text(largest));
}

std::string rerun_text(const Json& run) {
    const std::string of = field(run, "rerun_of");
    if (of.empty()) return "";
    return fmt::format("run {}; later runs {} told of its state", of,
                       flag(run, "keeps_state") ? "are" : "are not");
}

// `queued 12 ms, running 3.4 s`: where the time went.
std::string times_text(const Json& run) {
    std::string text;
    for (const char* state : {"queued", "preparing", "starting", "running"})
        if (const auto ms = number(run, fmt::format("times.{}_ms", state)); ms.value_or(0) > 0)
            text += fmt::format("{}{} ms {}", text.empty() ? "" : ", ", *ms, state);
    return text;
}

void usage_lines(Record& record, const Json& run) {
    const auto user = number(run, "usage.user_ms"), system = number(run, "usage.system_ms");
    if (user && system)
        record.line("processor", fmt::format("{} ms user, {} ms system", *user, *system));
    record.line("memory", memory_text(run));
    const auto read = bytes(run, "usage.io_read_bytes");
    const auto written = bytes(run, "usage.io_write_bytes");
    if (read > 0 || written > 0)
        record.line("disk",
                    fmt::format("{} read, {} written", size_text(read), size_text(written)));
    const auto sent = bytes(run, "usage.sent_bytes");
    const auto received = bytes(run, "usage.received_bytes");
    if (sent > 0 || received > 0)
        record.line("network",
                    fmt::format("{} sent, {} received", size_text(sent), size_text(received)));
    if (number(run, "usage.log_bytes"))
        record.line("log", size_text(bytes(run, "usage.log_bytes")));
}

// What kept it in, and where it was weakened or tried to get out.
void sandbox_lines(Record& record, const Json& run) {
    if (!field(run, "started_date").empty() && inner(run, "warm").is_boolean())
        record.line("sandbox", flag(run, "warm") ? "was ready" : "was built for it");
    // Only who stopped a run waits until the kernel has said it; others need not.
    if (flag(run, "tree_empty"))
        record.line("processes", "none is left");
    else if (const auto state = field(run, "state");
             state == "cancelled" || state == "failed_timeout")
        record.line("processes", {"not confirmed that none is left", Tone::warning});
    if (const Json& grants = inner(run, "grants"); grants.is_array() && !grants.empty())
        record.line("grants", {joined(grants), Tone::warning});
    if (const Json& calls = inner(run, "refused_syscalls"); calls.is_array() && !calls.empty())
        record.line("refused calls", {joined(calls), Tone::warning});
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
    record.line("rerun of", rerun_text(run));
    record.line("triggers", trigger_sources(run));
    record.line("started", short_time(field(run, "started_date")));
    record.line("completed", short_time(field(run, "completed_date")));
    record.line("took", took(run));
    record.line("time", times_text(run));
    usage_lines(record, run);
    sandbox_lines(record, run);
    record.line("output", field(run, "std_out"));
    session.print(record);
    return Exit::ok;
}

Table connection_table(const Json& list) {
    Table table{{"NAME", "ADDRESS", "PORT", "SENT", "RECEIVED", "VERDICT"}};
    for (const Json& entry : list) {
        const std::string refused = field(entry, "refused");
        table.row({field(entry, "name"), field(entry, "address"), field(entry, "port"),
                   size_text(bytes(entry, "sent_bytes")), size_text(bytes(entry, "received_bytes")),
                   refused.empty() ? Cell{"allowed", Tone::good}
                                   : Cell{"refused: " + refused, Tone::bad}});
    }
    return table;
}

// Below a run's record: the first of them.
Result<Exit> show_connections(Session& session, const std::string& id) {
    constexpr std::size_t kShown = 20;
    const std::string one_more = std::to_string(kShown + 1);
    auto list = session.api().get(api_path({"runs", id, "connections"}, {{"limit", one_more}}));
    if (!list) return pass_on(list);
    if (!list->is_array() || list->empty()) return Exit::ok;
    const bool more = list->size() > kShown;
    if (more) list->erase(list->size() - 1);
    session.io.out << '\n';
    session.print(connection_table(*list));
    if (more) session.remark(fmt::format("there are more: 'berth run connections {}'", id));
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
    if (!table.empty()) {
        session.io.out << '\n';
        session.print(table);
    }
    return show_connections(session, field(*run, "id"));
}

Result<Exit> run_connections(Session& session, const std::string& which, const Paging& paging) {
    auto run = find_run(session.api(), which);
    if (!run) return pass_on(run);
    auto list =
        session.api().get(api_path({"runs", field(*run, "id"), "connections"}, paging.query()));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    session.print_list(connection_table(*list), paging, list->size(),
                       "this run has connected to nothing through berth-egress");
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
