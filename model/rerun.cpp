#include "model/rerun.h"

#include <fmt/format.h>

#include <cstdlib>

namespace berth {

std::string_view to_string(GivenFrom from) {
    switch (from) {
        case GivenFrom::original: return "original";
        case GivenFrom::current: return "current";
        case GivenFrom::custom: return "custom";
    }
    std::abort();
}

std::optional<GivenFrom> parse_given_from(std::string_view word) {
    for (const GivenFrom from : {GivenFrom::original, GivenFrom::current, GivenFrom::custom})
        if (to_string(from) == word) return from;
    return {};
}

std::string describe(const Rerun& rerun) {
    return fmt::format("run {} again: {} configs, {} state, {} release; its own state is {}",
                       rerun.origin.value, to_string(rerun.configs_from),
                       to_string(rerun.state_from), to_string(rerun.release_from),
                       rerun.keeps_state ? "kept" : "not kept");
}

}  // namespace berth
