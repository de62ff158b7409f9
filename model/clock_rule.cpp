// The words of the rule for clock changes, as the store and the API write them.
#include "model/schedule.h"

namespace berth {

std::string_view to_string(GapRule rule) {
    switch (rule) {
        case GapRule::skip: return "skip";
        case GapRule::at_end: return "at_end";
        case GapRule::shifted: return "shifted";
    }
    std::abort();
}

std::string_view to_string(OverlapRule rule) {
    switch (rule) {
        case OverlapRule::first: return "first";
        case OverlapRule::second: return "second";
        case OverlapRule::both: return "both";
    }
    std::abort();
}

std::optional<GapRule> parse_gap_rule(std::string_view word) {
    for (const auto rule : {GapRule::skip, GapRule::at_end, GapRule::shifted})
        if (word == to_string(rule)) return rule;
    return {};
}

std::optional<OverlapRule> parse_overlap_rule(std::string_view word) {
    for (const auto rule : {OverlapRule::first, OverlapRule::second, OverlapRule::both})
        if (word == to_string(rule)) return rule;
    return {};
}

}  // namespace berth
