// A Start becomes two things: the request for a sandbox (BuildRequest) and the
// plan that goes straight to the sandbox's pid 2, in a sealed memfd. All that can
// be wrong with a Start is found here and named by its field; values never are.
#pragma once

#include <span>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/ipc/messages.h"

namespace berth::runner {

// The plaintext lies in the memfd alone: closing it here and the exec of pid 2
// are its end.
struct Plan {
    ipc::PlanHeader header;
    Fd memfd;
};

// Checks every field of `start`. `secrets` are the opened values of start.secrets,
// in their order. Throws SystemError when there is no memory for the plan.
Result<Plan> make_plan(const ipc::Start& start, std::span<const Secret> secrets);

Result<ipc::BuildRequest> make_build_request(const ipc::Start& start);

// Where the script begins: /app, or the named folder below it.
std::string working_folder_path(const ipc::Start& start);

}  // namespace berth::runner
