#include "model/forms.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace berth {
namespace {

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }
Json or_null(const std::optional<Time>& time) {
    return time ? Json(to_rfc3339(*time)) : Json(nullptr);
}
// JSON text that was checked before it was stored.
Json stored(const std::string& text, Json absent = nullptr) {
    return text.empty() ? std::move(absent) : Json::parse(text, nullptr, /*exceptions=*/false);
}
// A reference to another object, or null.
template <typename Id>
Json reference(const std::optional<Id>& id) {
    return id ? Json(id->value) : Json(nullptr);
}
Json word(const std::optional<Channel>& channel) {
    return channel ? Json(to_string(*channel)) : Json(nullptr);
}

Json status_form(const Run& run) {
    return {{"phase", phase_text(run.state)},
            {"startTime", or_null(run.started)},
            {"completionTime", or_null(run.completed)}};
}

Json brief(const std::optional<Run>& run) {
    if (!run) return nullptr;
    Json form = status_form(*run);
    form["id"] = run->id.value;
    form["mode"] = to_string(run->mode);
    return form;
}

}  // namespace

Json to_form(const Integration& i) {
    Json connectors = Json::array();
    for (const auto& connector : i.connectors)
        connectors.push_back({{"name", connector.name}, {"isGlobal", connector.is_global}});
    return {
        {"id", i.id.value},
        {"created_date", to_rfc3339(i.created)},
        {"modified_date", to_rfc3339(i.modified)},
        {"name", i.name},
        {"long_name", i.long_name},
        {"connectors", std::move(connectors)},
        {"repository_path", or_null(i.repository_path)},
        {"repository_tracking_branch", or_null(i.repository_tracking_branch)},
        {"repository_url", or_null(i.repository_url)},
        {"type", i.type},
        {"categories", Json::array()},
        {"tags", Json::array()},
        {"flag", nullptr},
        {"default_release_id", reference(i.default_release_id)},
        {"default_release_channel", word(i.default_release_channel)},
        {"network", to_string(i.network)},
        {"egress_names", i.egress_names},
        {"on_lost", to_string(i.on_lost)},
        {"wall_time_seconds", i.wall_time.count()},
        {"memory_mib", i.memory_bytes >> 20},
        {"archived", i.archived},
        {"paused", i.paused},
    };
}

Json to_form(const Release& r) {
    Json config_schema = nullptr;
    if (!r.config_schema.empty() || !r.ui_schema.empty())
        config_schema = {{"schema", stored(r.config_schema)}, {"uischema", stored(r.ui_schema)}};
    return {
        {"id", r.id.value},
        {"integration_id", r.integration_id.value},
        {"name", r.name},
        {"repository_tracking_branch", nullptr},
        {"run_command", r.run_command},
        {"build_command", or_null(r.build_command)},
        {"tag", or_null(r.tag)},
        {"config_schema", std::move(config_schema)},
        {"config_version", r.config_version},
        {"metadata_schema", stored(r.metadata_schema)},
        {"base", r.base},
        {"runtime", r.runtime},
        {"content_hash", r.content_hash},
        {"created_date", to_rfc3339(r.created)},
        {"modified_date", to_rfc3339(r.created)},
    };
}

Json to_form(const Connector& c) {
    return {{"id", c.id.value},
            {"name", c.name},
            {"kind", c.kind},
            {"created_date", to_rfc3339(c.created)}};
}

Json to_form(const Connection& c) {
    return {{"connector", c.connector_name},
            {"kind", or_null(c.kind)},
            {"isGlobal", !c.tenant_id.has_value()},
            {"status", to_string(c.status)},
            {"reason", or_null(c.reason)},
            {"last_change",
             or_null(c.last_change == Time{} ? std::nullopt : std::optional<Time>{c.last_change})},
            {"fields", c.readable},
            {"secrets", c.fields}};
}

Json to_form(const ConnectionEvent& e) {
    return {{"status", to_string(e.status)},
            {"reason", or_null(e.reason)},
            {"by", e.actor},
            {"date", to_rfc3339(e.time)}};
}

Json to_form(const RunEvent& e) {
    return {{"state", to_string(e.state)},
            {"attempt", e.attempt},
            {"note", or_null(e.note)},
            {"date", to_rfc3339(e.time)}};
}

Json to_form(const LogChunk& c) {
    Json form{{"seq", c.seq}, {"time", to_rfc3339(c.time)}, {"stream", to_string(c.stream)}};
    if (is_utf8(c.bytes))
        form["text"] = c.bytes;
    else
        form["base64"] = to_base64(c.bytes);
    return form;
}

Json to_form(const RunConnection& c) {
    return {{"name", or_null(c.name)},
            {"address", or_null(c.address)},
            {"port", c.port},
            {"sent_bytes", c.sent_bytes},
            {"received_bytes", c.received_bytes},
            {"allowed", c.refused.empty()},
            {"refused", or_null(c.refused)},
            {"attempt", c.attempt},
            {"date", to_rfc3339(c.time)}};
}

Json to_form(const RunView& view) {
    const Run& r = view.run;
    Json triggers = Json::array();
    for (const Trigger& t : view.triggers)
        triggers.push_back({{"id", t.id.str()},
                            {"created_date", to_rfc3339(t.created)},
                            {"mode", to_string(t.mode)},
                            {"source", to_string(t.source)},
                            {"payload", stored(t.payload, Json::object())}});
    return {
        {"id", r.id.value},
        {"mode", to_string(r.mode)},
        {"status", status_form(r)},
        {"triggers", std::move(triggers)},
        {"started_date", or_null(r.started)},
        {"completed_date", or_null(r.completed)},
        {"tenant_id", r.tenant_id.value},
        {"integration_id", r.integration_id.value},
        {"release_id", r.release_id.value},
        {"state", to_string(r.state)},
        {"reason", or_null(r.reason)},
        {"attempt", r.attempt},
        {"std_out", or_null(r.std_out)},
        {"rerun_of", reference(r.rerun_of)},
        {"keeps_state", r.keeps_state},
        {"grants", stored(r.grants, Json::array())},
        {"warm", r.warm},
        {"refused_syscalls", r.refused_syscalls},
        {"tree_empty", r.tree_empty},
        {"usage",
         {{"user_ms", r.usage.user_us / 1000},
          {"system_ms", r.usage.system_us / 1000},
          {"max_rss_bytes", r.usage.max_rss_bytes},
          {"memory_peak_bytes", r.usage.memory_peak_bytes},
          {"io_read_bytes", r.usage.io_read_bytes},
          {"io_write_bytes", r.usage.io_write_bytes},
          {"log_bytes", r.usage.log_bytes},
          {"sent_bytes", r.usage.sent_bytes},
          {"received_bytes", r.usage.received_bytes}}},
        {"times",
         {{"queued_ms", r.times.queued.count() / 1000},
          {"preparing_ms", r.times.preparing.count() / 1000},
          {"starting_ms", r.times.starting.count() / 1000},
          {"running_ms", r.times.running.count() / 1000}}},
    };
}

Json to_form(const TenantView& view) {
    const Tenant& t = view.tenant;
    Json connectors = Json::array();
    for (const Connection& c : view.connections)
        connectors.push_back({{"name", c.connector_name},
                              {"status", to_string(c.status)},
                              {"last_change", or_null(c.last_change == Time{}
                                                          ? std::nullopt
                                                          : std::optional<Time>{c.last_change})}});
    const bool connected = std::ranges::all_of(view.connections, [](const Connection& c) {
        return c.status == ConnectionStatus::connected;
    });
    return {
        {"id", t.id.value},
        {"name", t.name},
        {"user_name", or_null(t.user_name)},
        {"archived", t.archived},
        {"integration_id", t.integration_id.value},
        {"configs", stored(t.configs, Json::object())},
        {"paused", t.paused},
        {"user_schedule", or_null(t.user_schedule)},
        {"schedule", or_null(t.schedule)},
        {"source", t.source},
        {"integration_release_id", reference(t.release_id)},
        {"integration_release_channel", word(t.release_channel)},
        {"status",
         {{"last_run", brief(view.last_run)},
          {"current_run", brief(view.current_run)},
          {"last_successful_run", brief(view.last_successful_run)},
          {"dynamic_configs", stored(t.dynamic_configs, Json::object())},
          {"waiting_triggers", view.waiting_triggers},
          {"auth", {{"connected", connected}, {"connectors", std::move(connectors)}}}}},
        {"created_date", to_rfc3339(t.created)},
        {"modified_date", to_rfc3339(t.modified)},
    };
}

template <typename T>
Json to_forms(const std::vector<T>& values) {
    Json forms = Json::array();
    for (const T& value : values)
        forms.push_back(to_form(value));
    return forms;
}
template Json to_forms(const std::vector<Integration>&);
template Json to_forms(const std::vector<Release>&);
template Json to_forms(const std::vector<Connector>&);
template Json to_forms(const std::vector<Connection>&);
template Json to_forms(const std::vector<ConnectionEvent>&);
template Json to_forms(const std::vector<RunEvent>&);
template Json to_forms(const std::vector<RunConnection>&);
template Json to_forms(const std::vector<RunView>&);
template Json to_forms(const std::vector<TenantView>&);

}  // namespace berth
