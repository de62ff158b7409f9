// What a scalar of YAML means: text, number, truth value or nothing, by the core
// schema of YAML 1.2 (so `yes` and `on` are text, and `0.4` is a number).
#pragma once

#include <string>

#include "base/error.h"
#include "model/json.h"

namespace berth {

// `tag` as yaml-cpp gives it: empty or `?` for a plain scalar, `!` for one in
// quotes, else the full tag. Numbers that JSON could not hold exactly are refused.
Result<Json> read_scalar(const std::string& tag, const std::string& text);

}  // namespace berth
