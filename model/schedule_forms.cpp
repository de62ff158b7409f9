#include "model/schedule_forms.h"

#include <nlohmann/json.hpp>

namespace berth {
namespace {

Json or_null(const std::optional<Time>& time) {
    return time ? Json(to_rfc3339(*time)) : Json(nullptr);
}

Json settings_form(const ScheduleSettings& settings) {
    return {{"text", settings.text},
            {"zone", settings.zone},
            {"gap", to_string(settings.rule.gap)},
            {"overlap", to_string(settings.rule.overlap)},
            {"jitter_seconds", settings.jitter.count()},
            {"missed", to_string(settings.missed)},
            {"window_seconds", settings.window.count()},
            {"when_busy", to_string(settings.when_busy)}};
}

std::string_view word(FiringKind kind) {
    switch (kind) {
        case FiringKind::regular: return "regular";
        case FiringKind::gap_made_up: return "gap_made_up";
        case FiringKind::repeated: return "repeated";
    }
    std::abort();
}

template <typename T>
Json list(const std::vector<T>& values) {
    Json forms = Json::array();
    for (const T& value : values)
        forms.push_back(to_form(value));
    return forms;
}

}  // namespace

Json to_form(const TenantSchedule& schedule) {
    Json form = settings_form(schedule.settings);
    form["id"] = schedule.id.value;
    form["tenant_id"] = schedule.tenant_id.value;
    form["source"] = schedule.own ? "tenant" : "integration";
    form["enabled"] = schedule.enabled;
    form["next_date"] = or_null(schedule.nominal);
    form["next_look_date"] = or_null(schedule.fire);
    form["last_date"] = or_null(schedule.fired);
    form["warning"] = schedule.warning.empty() ? Json(nullptr) : Json(schedule.warning);
    form["trouble"] = schedule.trouble.empty() ? Json(nullptr) : Json(schedule.trouble);
    return form;
}

Json to_form(const SlotView& view) {
    const Slot& slot = view.slot;
    Json form{
        {"date", to_rfc3339(slot.nominal)},
        {"outcome", to_string(slot.outcome)},
        {"reason", slot.reason == SlotReason::none ? Json(nullptr) : Json(to_string(slot.reason))},
        {"late_ms", std::chrono::floor<std::chrono::milliseconds>(slot.late).count()},
        {"trigger_id", view.trigger ? Json(view.trigger->value) : Json(nullptr)},
        {"run_id", view.run ? Json(view.run->value) : Json(nullptr)},
        {"bundled", view.bundled}};
    if (slot.last == slot.nominal) return form;
    form["until_date"] = to_rfc3339(slot.last);
    form["instants"] = slot.instants == 0 ? Json(nullptr) : Json(slot.instants);
    return form;
}

Json to_form(const IntegrationPolicy& policy) {
    return {{"schedule", settings_form(policy.schedule)},
            {"allowed_schedules", policy.allowed},
            {"shortest_interval_seconds", policy.shortest.count()},
            {"most_running", policy.most_running},
            {"most_waiting", policy.most_waiting},
            {"starts_per_minute", policy.starts_per_minute},
            {"tenant_starts_per_minute", policy.tenant_starts_per_minute},
            {"retries", policy.retries},
            {"retry_first_seconds", policy.retry_first.count()},
            {"retry_longest_seconds", policy.retry_longest.count()}};
}

Json to_form(const ComingInstant& instant) {
    return {{"date", to_rfc3339(instant.nominal)},
            {"fires_date", to_rfc3339(instant.fires)},
            {"local", instant.local},
            {"kind", word(instant.kind)}};
}

template <>
Json to_forms(const std::vector<TenantSchedule>& values) {
    return list(values);
}
template <>
Json to_forms(const std::vector<SlotView>& values) {
    return list(values);
}
template <>
Json to_forms(const std::vector<ComingInstant>& values) {
    return list(values);
}

}  // namespace berth
