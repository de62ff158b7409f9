// A Start becomes two things: the request for a sandbox (BuildRequest) and the
// plan that goes straight to the sandbox's pid 2. All that can be wrong with a Start
// is found here and named by its field; values never are.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/ipc/messages.h"

namespace berth::runner {

// As launcher_protocol.h says. The plaintext lies in the packet, which is wiped when it is
// freed, or in sealed memory, which ends when it is closed here and pid 2 executes.
struct Plan {
    std::vector<char> packet;
    Fd memory;  // only of a plan too large for a packet

    void clear() {
        packet = {};
        memory.reset();
    }
};

// 0, or errno. Never blocks.
int send_plan(int socket, const Plan& plan, const std::array<int, 3>& streams);

// Checks every field of `start`. `secrets` are the opened values of start.secrets,
// in their order. Throws SystemError when there is no memory for the plan.
Result<Plan> make_plan(const ipc::Start& start, std::span<const Secret> secrets);

Result<ipc::BuildRequest> make_build_request(const ipc::Start& start);

// Where the script begins: /app, or the named folder below it.
std::string working_folder_path(const ipc::Start& start);

}  // namespace berth::runner
