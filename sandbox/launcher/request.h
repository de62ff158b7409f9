// Whether a runner's request is one that may be served, with no weakening but those
// that the administrator allows. The runner is trusted with runs, not with the host.
#pragma once

#include <cstdint>

#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/allowed.h"

namespace berth::launcher {

// 0, or the errno value that says why not.
int check_request(const ipc::BuildRequest& request, const Allowed& allowed);
int check_request(const ipc::TakeRequest& request);
int check_request(const ipc::KillRequest& request);

// Whether sandboxes of this class may wait for their run: none with a weakening, since
// those are rare and their grants must be asked for each time.
bool may_be_parked(const ipc::Class& kind);

bool same_class(const ipc::Class& a, const ipc::Class& b);

}  // namespace berth::launcher
