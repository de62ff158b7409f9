// What a rerun is given: what the run that it repeats was given, what any run of the
// tenant would be given now, or what the caller brings. Secrets are always today's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/ids.h"

namespace berth {

enum class GivenFrom : std::uint8_t { original, current, custom };
std::string_view to_string(GivenFrom from);
std::optional<GivenFrom> parse_given_from(std::string_view word);

struct Rerun {
    RunId origin;
    // Whose triggers it hands over: the origin's, or, of a rerun, those that one had.
    RunId triggers_of;
    GivenFrom configs_from = GivenFrom::original;
    std::string configs;  // custom: a JSON object's text
    // The state is what earlier runs printed last, and the metadata with it.
    GivenFrom state_from = GivenFrom::original;
    std::string state;  // custom: as the last run's and the last successful run's
    GivenFrom release_from = GivenFrom::original;  // never custom
    // Later runs are told of it, and metadata and options that it prints are kept.
    bool keeps_state = false;
};

// `run 17 again: original configs, current state, original release; its own state is not kept`.
std::string describe(const Rerun& rerun);

}  // namespace berth
