// Settings of the installation: names and values, and the id it was born with.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

std::optional<std::string> get_setting(Db& db, std::string_view name);
// The value itself is not written to the audit trail.
void set_setting(Db& db, const By& by, std::string_view name, std::string_view value);

// 16 random bytes that name this installation; made when first asked for. They
// are part of what every envelope is bound to.
Result<std::string> install_id(Db& db, const By& by);

}  // namespace berth
