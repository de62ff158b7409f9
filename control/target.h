// The target of a request line, `/v2/tenants/7?limit=5`, taken apart and
// percent-decoded. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "control/http.h"

namespace berth {

struct Target {
    std::string raw_path;
    std::string raw_query;
    std::vector<std::string> path;  // "/" is one empty segment
    Query query;
};

// `invalid` for anything but origin form, broken percent-encoding, text that is
// not UTF-8, control characters, and for paths that a proxy in front could read
// otherwise: an encoded '/', '\' or NUL, '.' and '..' segments.
Result<Target> parse_target(std::string_view target);

}  // namespace berth
