// Schedules, their ledger and an integration's policy as the JSON objects of the
// API (docs/api.md).
#pragma once

#include "model/forms.h"
#include "model/json.h"
#include "model/schedule_settings.h"

namespace berth {

Json to_form(const TenantSchedule& schedule);
Json to_form(const SlotView& slot);
Json to_form(const IntegrationPolicy& policy);

// An instant that is to come.
struct ComingInstant {
    Time nominal{};
    Time fires{};       // nominal and the tenant's jitter
    std::string local;  // `2027-03-28 03:00:00 +02:00` on the wall of its zone
    FiringKind kind = FiringKind::regular;
};
Json to_form(const ComingInstant& instant);

template <>
Json to_forms(const std::vector<TenantSchedule>& values);
template <>
Json to_forms(const std::vector<SlotView>& values);
template <>
Json to_forms(const std::vector<ComingInstant>& values);

}  // namespace berth
