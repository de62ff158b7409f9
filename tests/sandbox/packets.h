// Records and descriptors as packets, as the tests of the launcher read them.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace berth::sandbox_test {

inline constexpr int kDeadlineMs = 180'000;  // for anything that must happen; never waited out

// One packet, and the descriptors that came with it. Empty at the end.
std::string receive(int socket, std::vector<Fd>& descriptors);

template <typename Record>
std::optional<Record> as(const std::string& packet) {
    Record record;
    if (packet.size() != sizeof record) return {};
    std::memcpy(&record, packet.data(), sizeof record);
    return record;
}

}  // namespace berth::sandbox_test
