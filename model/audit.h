// The audit trail as values: its rows, and the head of its chain as it is published and
// given back to be compared with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/json.h"

namespace berth {

struct AuditRow {
    std::int64_t seq = 0;
    Time time{};
    std::string actor;
    std::string action;  // `tenant.create`, `secret.use` ...
    std::string object;  // `tenant 7`
    std::string detail;  // names and numbers, never values of secrets
};

// Whoever has it can tell later whether a row up to this one was changed.
struct AuditHead {
    std::int64_t seq = 0;  // how many rows there are
    std::string hash;      // of the last one, hex

    bool operator==(const AuditHead&) const = default;
};
// `41:9f86d081...`
std::string audit_head_text(const AuditHead& head);
std::optional<AuditHead> parse_audit_head(std::string_view text);

// What a look at the whole chain has found.
struct AuditVerdict {
    AuditHead head;
    std::string problem{};  // empty: the chain is whole
};

Json to_form(const AuditRow& row);
Json to_form(const AuditVerdict& verdict);

}  // namespace berth
