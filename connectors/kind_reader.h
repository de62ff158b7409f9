// A connector kind's file: YAML → ConnectorKind, or what is wrong with it, where, and what
// to write instead (docs/connectors.md tells how one is written).
#pragma once

#include <string_view>

#include "base/error.h"
#include "connectors/kind.h"

namespace berth {

// The keys are the members' names (kind.h); `file_name` without its folder and `.yaml` must
// be the kind's name. Refusals begin with `FILE:LINE:COLUMN: `, all of them, a line each.
Result<ConnectorKind> read_kind(std::string_view text, std::string_view file_name);

}  // namespace berth
