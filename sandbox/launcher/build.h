// Builds one sandbox at the runner's request, from the launcher's side: everything
// that succeeds is handed over, everything that fails is undone.
#pragma once

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/cgroup.h"
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/network.h"
#include "sandbox/launcher/slots.h"

namespace berth::launcher {

// A built sandbox, or in `reply` the step that failed. The sockets are the runner's
// ends; once they are closed the sandbox ends.
struct Built {
    ipc::Ready reply;
    Fd plan;
    Fd status;
    Fd pidfd;
    Fd cgroup;
    Listeners listeners;  // with network egress
};

// Whether the request is one that may be built, with no weakening but the allowed
// ones; the errno value says why not.
int check_request(const ipc::BuildRequest& request, std::uint32_t allowed_grants);

// Blocks until the sandbox stands: about as long as starting a few processes.
Built build(const ipc::BuildRequest& request, const Equipment& equipment, Cgroups& cgroups,
            Slots& slots);

}  // namespace berth::launcher
