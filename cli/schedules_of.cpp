#include "cli/schedules_of.h"

#include <nlohmann/json.hpp>

#include "cli/fields.h"
#include "cli/resolve.h"
#include "cli/schedules.h"
#include "model/interval.h"

namespace berth {
namespace {

constexpr std::int64_t kPage = 500;

Result<std::int64_t> seconds_of(const std::string& option, const std::string& text) {
    if (text == "0") return 0;
    const auto duration = parse_duration(text);
    if (!duration)
        return fail_at(FailureKind::invalid, option, "{}: {}", option, duration.error().message);
    return duration->count();
}

Result<void> put_duration(Json& body, const char* name, const std::string& option,
                          const std::optional<std::string>& text) {
    if (!text) return {};
    auto seconds = seconds_of(option, *text);
    if (!seconds) return pass_on(seconds);
    body[name] = *seconds;
    return {};
}

template <typename T>
void put(Json& body, const char* name, const std::optional<T>& value) {
    if (value) body[name] = *value;
}

Result<Json> body_of(const ScheduleFields& fields) {
    if (fields.text)
        if (auto good = check_schedule_text(*fields.text); !good) return pass_on(good);
    Json body = Json::object();
    put(body, "text", fields.text);
    put(body, "zone", fields.zone);
    put(body, "gap", fields.gap);
    put(body, "overlap", fields.overlap);
    put(body, "missed", fields.missed);
    put(body, "when_busy", fields.when_busy);
    if (auto ok = put_duration(body, "jitter_seconds", "--jitter", fields.jitter); !ok)
        return pass_on(ok);
    if (auto ok = put_duration(body, "window_seconds", "--window", fields.window); !ok)
        return pass_on(ok);
    if (fields.follow_integration) body["follow_integration"] = true;
    return body;
}

void settings_lines(Record& record, const Json& settings) {
    record.line("schedule", field(settings, "text"));
    record.line("zone", field(settings, "zone"));
    record.line("at a gap", field(settings, "gap"));
    record.line("at an overlap", field(settings, "overlap"));
    record.line("jitter", field(settings, "jitter_seconds") + " s");
    record.line("missed", fmt::format("{}, within {} s", field(settings, "missed"),
                                      field(settings, "window_seconds")));
    record.line("while busy", field(settings, "when_busy"));
}

Exit show(Session& session, const Json& schedule) {
    if (session.json()) {
        session.print(schedule);
        return Exit::ok;
    }
    if (field(schedule, "text").empty()) {
        session.remark(
            "there is no schedule; 'berth schedule set TENANT \"*/15 * * * *\"' sets one");
        return Exit::ok;
    }
    Record record;
    record.line("tenant", field(schedule, "tenant_id"));
    record.line("set by", field(schedule, "source"));
    settings_lines(record, schedule);
    record.line("next (UTC)", short_time(field(schedule, "next_date")));
    record.line("last (UTC)", short_time(field(schedule, "last_date")));
    record.line("warning", {field(schedule, "warning"), Tone::warning});
    record.line("trouble", {field(schedule, "trouble"), Tone::bad});
    session.print(record);
    return Exit::ok;
}

Result<std::string> tenant_path(Session& session, const std::string& tenant, const Pairs& query,
                                const std::string& below = {}) {
    auto found = find_tenant(session.api(), tenant);
    if (!found) return pass_on(found);
    std::vector<std::string> segments{"tenants", field(*found, "id"), "schedule"};
    if (!below.empty()) segments.push_back(below);
    return api_path(segments, query);
}

std::string choices_text(const Json& policy) {
    const Json& allowed = inner(policy, "allowed_schedules");
    std::string text = "any schedule";
    if (allowed.is_array() && !allowed.empty()) {
        text.clear();
        for (const Json& choice : allowed)
            text += fmt::format("{}'{}'", text.empty() ? "" : ", ",
                                choice.is_string() ? choice.get<std::string>() : to_text(choice));
    }
    const auto shortest = number(policy, "shortest_interval_seconds").value_or(0);
    if (shortest > 0) text += fmt::format(", no more often than each {} s", shortest);
    return text;
}

std::string cap_text(const Json& policy, const char* name) {
    const auto cap = number(policy, name).value_or(0);
    return cap > 0 ? fmt::format("at most {}", cap) : "no cap of its own";
}

std::string retries_text(const Json& policy) {
    const auto retries = number(policy, "retries").value_or(0);
    if (retries == 0) return "none";
    return fmt::format("{}, the first after {} s, the longest delay {} s", retries,
                       field(policy, "retry_first_seconds"),
                       field(policy, "retry_longest_seconds"));
}

// `late by 1250 ms`, `skipped: pause`, `bundled into run 17`.
Cell became(const Json& slot) {
    if (field(slot, "outcome") == "skipped")
        return {"skipped: " + field(slot, "reason"), Tone::warning};
    std::string text = "fired";
    if (number(slot, "late_ms").value_or(0) > 0)
        text += fmt::format(", late by {} ms", field(slot, "late_ms"));
    if (flag(slot, "bundled")) text += ", bundled";
    return {text, Tone::good};
}

// The daemon gives them by the page, each after the last one of the page before.
Result<Json> all_pages(Session& session, const Pairs& query) {
    Json all = Json::array();
    for (std::string after;;) {
        Pairs page_query = query;
        if (!after.empty()) page_query.emplace_back("after", after);
        auto page = session.api().get(api_path({"schedules"}, page_query));
        if (!page) return page;
        if (!page->is_array()) return all;
        const bool more = page->size() == static_cast<std::size_t>(kPage);
        for (Json& schedule : *page)
            all.push_back(std::move(schedule));
        if (!more) return all;
        const std::string last = field(all.back(), "id");
        if (last.empty() || last == after) return all;
        after = last;
    }
}

}  // namespace

Result<Exit> schedule_list(Session& session, const std::string& integration) {
    Pairs query{{"limit", std::to_string(kPage)}};
    if (!integration.empty()) {
        auto found = find_integration(session.api(), integration);
        if (!found) return pass_on(found);
        query.emplace_back("integration_id", field(*found, "id"));
    }
    auto list = all_pages(session, query);
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    if (list->empty()) {
        session.remark("there are no schedules yet");
        return Exit::ok;
    }
    Table table{{"TENANT", "SCHEDULE", "ZONE", "SET BY", "NEXT (UTC)", "LAST (UTC)", "TROUBLE"}};
    for (const Json& schedule : *list)
        table.row({field(schedule, "tenant_id"),
                   field(schedule, "text"),
                   field(schedule, "zone"),
                   field(schedule, "source"),
                   short_time(field(schedule, "next_date")),
                   short_time(field(schedule, "last_date")),
                   {field(schedule, "trouble"), Tone::bad}});
    session.print(table);
    return Exit::ok;
}

Result<Exit> schedule_show(Session& session, const std::string& tenant) {
    auto path = tenant_path(session, tenant, {});
    if (!path) return pass_on(path);
    auto schedule = session.api().get(*path);
    if (!schedule) return pass_on(schedule);
    return show(session, *schedule);
}

Result<Exit> schedule_set(Session& session, const std::string& tenant,
                          const ScheduleFields& fields) {
    auto body = body_of(fields);
    if (!body) return pass_on(body);
    auto path = tenant_path(session, tenant, {});
    if (!path) return pass_on(path);
    auto schedule = session.api().send("PUT", *path, to_text(*body));
    if (!schedule) return pass_on(schedule);
    return show(session, *schedule);
}

Result<Exit> schedule_history(Session& session, const std::string& tenant, std::int64_t count) {
    auto path = tenant_path(session, tenant, {{"limit", std::to_string(count)}}, "history");
    if (!path) return pass_on(path);
    auto slots = session.api().get(*path);
    if (!slots) return pass_on(slots);
    if (session.json()) {
        session.print(*slots);
        return Exit::ok;
    }
    if (slots->empty()) {
        session.remark("nothing has been due yet; 'berth schedule preview' shows what is coming");
        return Exit::ok;
    }
    Table table{{"DUE (UTC)", "UNTIL (UTC)", "WHAT BECAME OF IT", "RUN"}};
    for (const Json& slot : *slots)
        table.row({short_time(field(slot, "date")), short_time(field(slot, "until_date")),
                   became(slot), field(slot, "run_id")});
    session.print(table);
    return Exit::ok;
}

Result<Exit> schedule_preview(Session& session, const std::string& tenant, std::int64_t count) {
    auto path = tenant_path(session, tenant, {{"count", std::to_string(count)}}, "preview");
    if (!path) return pass_on(path);
    auto coming = session.api().get(*path);
    if (!coming) return pass_on(coming);
    if (session.json()) {
        session.print(*coming);
        return Exit::ok;
    }
    if (coming->empty()) {
        session.remark("there is no schedule");
        return Exit::ok;
    }
    Table table{{"DUE THERE", "DUE (UTC)", "FIRES (UTC)", "NOTE"}};
    for (const Json& instant : *coming) {
        const std::string kind = field(instant, "kind");
        table.row({field(instant, "local"), short_time(field(instant, "date")),
                   short_time(field(instant, "fires_date")), kind == "regular" ? "" : kind});
    }
    session.print(table);
    return Exit::ok;
}

Result<Exit> integration_policy(Session& session, const std::string& integration,
                                const PolicyFields& fields) {
    auto schedule = body_of(fields.schedule);
    if (!schedule) return pass_on(schedule);
    for (const std::string& text : fields.allowed)
        if (text != "any")
            if (auto good = check_schedule_text(text); !good) return pass_on(good);
    Json body = Json::object();
    if (!schedule->empty()) body["schedule"] = *schedule;
    if (!fields.allowed.empty())
        body["allowed_schedules"] = fields.allowed == std::vector<std::string>{"any"}
                                        ? Json::array()
                                        : Json(fields.allowed);
    if (auto ok = put_duration(body, "shortest_interval_seconds", "--shortest", fields.shortest);
        !ok)
        return pass_on(ok);
    put(body, "most_running", fields.most_running);
    put(body, "most_waiting", fields.most_waiting);
    put(body, "starts_per_minute", fields.starts_per_minute);
    put(body, "tenant_starts_per_minute", fields.tenant_starts_per_minute);
    put(body, "retries", fields.retries);
    if (auto ok = put_duration(body, "retry_first_seconds", "--retry-first", fields.retry_first);
        !ok)
        return pass_on(ok);
    if (auto ok =
            put_duration(body, "retry_longest_seconds", "--retry-longest", fields.retry_longest);
        !ok)
        return pass_on(ok);

    auto found = find_integration(session.api(), integration);
    if (!found) return pass_on(found);
    const auto path = api_path({"integrations", field(*found, "id"), "policy"});
    auto policy =
        body.empty() ? session.api().get(path) : session.api().send("PUT", path, to_text(body));
    if (!policy) return pass_on(policy);
    if (session.json()) {
        session.print(*policy);
        return Exit::ok;
    }
    Record record;
    settings_lines(record, inner(*policy, "schedule"));
    record.line("users may choose", choices_text(*policy));
    record.line("runs at once", cap_text(*policy, "most_running"));
    record.line("waiting triggers", cap_text(*policy, "most_waiting"));
    record.line("starts a minute", cap_text(*policy, "starts_per_minute"));
    record.line("of each tenant", cap_text(*policy, "tenant_starts_per_minute"));
    record.line("retries", retries_text(*policy));
    session.print(record);
    return Exit::ok;
}

}  // namespace berth
