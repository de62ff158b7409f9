// What a person should be told of a schedule that fires as it should and yet does not do
// what its text promises.
#pragma once

#include <string>

#include "model/schedule_settings.h"
#include "store/db.h"

namespace berth {

// Empty when there is nothing to tell. Else how many of its last firings had to share a
// run, and whether that is because runs take longer than the interval, or wait.
std::string schedule_warning(Db& db, const TenantSchedule& schedule);

}  // namespace berth
