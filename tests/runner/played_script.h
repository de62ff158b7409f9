// What a script does in a sandbox that is played by hand.
#pragma once

#include <string_view>

#include "tests/runner/hand_played.h"

namespace berth {

// The wait status of one that has exited so.
constexpr int exited(int code) { return code << 8; }

inline void print(const PlayedSandbox& sandbox, ipc::StreamKind stream, std::string_view text) {
    const std::size_t at = stream == ipc::StreamKind::out ? 1 : 2;
    write_all(sandbox.plan_packet.descriptors.at(at).get(), text);
}

}  // namespace berth
