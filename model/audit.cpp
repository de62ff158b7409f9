#include "model/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace berth {
namespace {

constexpr std::size_t kHashDigits = 64;

bool is_hash(std::string_view text) {
    return text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

std::string audit_head_text(const AuditHead& head) {
    return fmt::format("{}:{}", head.seq, head.hash);
}

std::optional<AuditHead> parse_audit_head(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == text.npos) return {};
    const auto seq = to_number<std::int64_t>(text.substr(0, colon));
    const auto hash = text.substr(colon + 1);
    if (!seq || *seq < 0 || !is_hash(hash)) return {};
    return AuditHead{*seq, std::string{hash}};
}

Json to_form(const AuditRow& row) {
    return {{"seq", row.seq},       {"date", to_rfc3339(row.time)}, {"actor", row.actor},
            {"action", row.action}, {"object", row.object},         {"detail", row.detail}};
}

Json to_form(const AuditVerdict& verdict) {
    const bool ok = verdict.problem.empty();
    return {{"ok", ok},
            {"rows", verdict.head.seq},
            {"head", audit_head_text(verdict.head)},
            {"problem", ok ? Json(nullptr) : Json(verdict.problem)}};
}

}  // namespace berth
