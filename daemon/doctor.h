// What the running daemons have found of this host's protections, in words and
// with a cure for each that is missing. Pure.
#pragma once

#include <optional>
#include <vector>

#include "control/api.h"
#include "sandbox/ipc/messages.h"

namespace berth {

std::vector<DoctorCheck> check_daemons(const std::optional<ipc::RunnerHello>& hello);

}  // namespace berth
