#include "cli/jobs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/fields.h"
#include "cli/input.h"
#include "cli/resolve.h"
#include "model/limits.h"

namespace berth {
namespace {

Cell job_cell(const Json& job) {
    const std::string state = field(job, "state");
    if (state == "succeeded") return {state, Tone::good};
    return {state, state == "running" ? Tone::plain : Tone::bad};
}

std::string took(const Json& job) {
    return duration(field(job, "created_date"), field(job, "completed_date"));
}

std::uint64_t bytes(const Json& entry, std::string_view path) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(number(entry, path).value_or(0), 0));
}

Result<Json> pairs(const std::vector<std::string>& texts, char separator, const char* option,
                   const char* form) {
    Json list = Json::array();
    for (const std::string& text : texts) {
        const auto at = text.find(separator);
        if (at == std::string::npos || at == 0)
            return fail(FailureKind::invalid, "'{} {}' is not of the form {}", option,
                        printable(text), form);
        list.push_back({text.substr(0, at), std::string{trim(text.substr(at + 1))}});
    }
    return list;
}

Result<Json> call_body(Session& session, const CallOptions& options) {
    Json body{{"target_url", options.target}};
    if (!options.method.empty()) body["method"] = options.method;
    auto headers = pairs(options.headers, ':', "--header", "'Name: value'");
    if (!headers) return headers;
    auto query = pairs(options.query, '=', "--query", "name=value");
    if (!query) return query;
    if (!headers->empty()) body["headers"] = std::move(*headers);
    if (!query->empty()) body["query_params"] = std::move(*query);
    if (options.body.empty()) return body;
    auto text = text_argument(session.io, "--body", options.body, limits::kHttpBodyBytes);
    if (!text) return pass_on(text);
    if (options.form != "json") {
        body["data"] = std::move(*text);
        return body;
    }
    auto json = parse_json(*text);
    if (!json) return json;
    body["body"] = std::move(*json);
    return body;
}

}  // namespace

Result<Exit> job_list(Session& session, const JobListFilter& filter) {
    Pairs query = filter.paging.query();
    if (!filter.tenant.empty()) {
        auto tenant = find_tenant(session.api(), filter.tenant);
        if (!tenant) return pass_on(tenant);
        query.emplace_back("tenant_id", field(*tenant, "id"));
    }
    if (!filter.state.empty()) query.emplace_back("state", filter.state);
    auto list = session.api().get(api_path({"jobs"}, query));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    Table table{{"ID", "WHAT", "CONNECTOR", "TENANT", "STATE", "STARTED (UTC)", "TOOK", "REASON"}};
    for (const Json& job : *list)
        table.row({field(job, "id"), field(job, "purpose"), field(job, "connector"),
                   field(job, "tenant_id"), job_cell(job), short_time(field(job, "created_date")),
                   took(job), field(job, "reason")});
    session.print_list(table, filter.paging, list->size(),
                       "there are no jobs here: no token was renewed and no partner was called");
    return Exit::ok;
}

Result<Exit> job_show(Session& session, const std::string& id) {
    auto job = session.api().get(api_path({"jobs", id}));
    if (!job) return pass_on(job);
    if (session.json()) {
        session.print(*job);
        return Exit::ok;
    }
    Record record;
    for (const char* name : {"id", "program", "purpose", "connector"})
        record.line(name, field(*job, name));
    record.line("tenant", field(*job, "tenant_id"));
    record.line("by", field(*job, "actor"));
    record.line("state", job_cell(*job));
    record.line("reason", field(*job, "reason"));
    record.line("started", short_time(field(*job, "created_date")));
    record.line("took", took(*job));
    record.line("processor", fmt::format("{} ms user, {} ms system", field(*job, "user_ms"),
                                         field(*job, "system_ms")));
    session.print(record);
    if (const Json& connections = inner(*job, "connections");
        connections.is_array() && !connections.empty()) {
        session.io.out << '\n';
        Table table{{"NAME", "ADDRESS", "PORT", "SENT", "RECEIVED", "VERDICT"}};
        for (const Json& entry : connections) {
            const std::string refused = field(entry, "refused");
            table.row({field(entry, "name"), field(entry, "address"), field(entry, "port"),
                       size_text(bytes(entry, "sent_bytes")),
                       size_text(bytes(entry, "received_bytes")),
                       refused.empty() ? Cell{"allowed", Tone::good}
                                       : Cell{"refused: " + refused, Tone::bad}});
        }
        session.print(table);
    }
    if (const std::string log = field(*job, "log"); !log.empty())
        session.io.out << '\n' << shown_lines(log);
    return Exit::ok;
}

Result<Exit> connection_call(Session& session, const CallOptions& options) {
    auto tenant = find_tenant(session.api(), options.tenant);
    if (!tenant) return pass_on(tenant);
    auto body = call_body(session, options);
    if (!body) return pass_on(body);
    const std::string verb = options.form == "json" ? "call" : options.form;
    auto answer = session.api().send(
        "POST", api_path({"tenants", field(*tenant, "id"), "connectors", options.connector, verb}),
        to_text(*body));
    if (!answer) return pass_on(answer);
    const Json& data = inner(*answer, "data");
    if (session.json() || !data.is_object() || !data.contains("xml"))
        session.print(session.json() ? *answer : data);
    else
        session.io.out << shown_lines(field(data, "xml")) << '\n';
    return Exit::ok;
}

}  // namespace berth
