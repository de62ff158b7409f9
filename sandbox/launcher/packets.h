// Records to the runner, with the descriptors that travel with them.
#pragma once

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/build.h"

namespace berth::launcher {

// On stderr, which is the launcher's log.
void warn(const char* what, int err);

// All block while the runner does not read: it is the only one that is served. False,
// after a warning, when it is gone.
bool send_packet(const Fd& socket, const void* record, std::size_t bytes, const int* fds = nullptr,
                 std::size_t count = 0);

template <typename Record>
bool send_record(const Fd& socket, const Record& record) {
    return send_packet(socket, &record, sizeof record);
}

bool send_sandbox(const Fd& socket, const ipc::Ready& reply, const Building::Result& built);

}  // namespace berth::launcher
