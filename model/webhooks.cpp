#include "model/webhooks.h"

#include <array>
#include <utility>

namespace berth {
namespace {

constexpr std::array<std::pair<HookOutcome, std::string_view>, 6> kOutcomes{
    {{HookOutcome::accepted, "accepted"},
     {HookOutcome::duplicate, "duplicate"},
     {HookOutcome::handshake, "handshake"},
     {HookOutcome::refused, "refused"},
     {HookOutcome::limited, "limited"},
     {HookOutcome::unavailable, "unavailable"}}};

}  // namespace

std::string_view to_string(HookOutcome outcome) {
    for (const auto& [value, word] : kOutcomes)
        if (value == outcome) return word;
    return {};
}

std::optional<HookOutcome> parse_hook_outcome(std::string_view word) {
    for (const auto& [value, known] : kOutcomes)
        if (known == word) return value;
    return {};
}

}  // namespace berth
