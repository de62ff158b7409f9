#include "sandbox/launcher/slots.h"

#include <algorithm>

namespace berth::launcher {

std::optional<unsigned> Slots::take() {
    // Round and round, so that a uid rests before it is used again.
    for (unsigned i = 0; i < count(); ++i) {
        const unsigned slot = (next_ + i) % count();
        if (pids_[slot] != 0) continue;
        next_ = (slot + 1) % count();
        return slot;
    }
    return {};
}

bool Slots::reaped(pid_t pid) {
    const auto found = std::find(pids_.begin(), pids_.end(), pid);
    if (found == pids_.end()) return false;
    *found = 0;
    return true;
}

}  // namespace berth::launcher
