// Writing a cgroup's files; internal to cgroup*.cpp. Functions return 0 or an errno value.
#pragma once

#include <cstdint>

namespace berth::launcher {

int write_file(int folder, const char* name, const char* value);
int write_number(int folder, const char* name, std::uint64_t value);

}  // namespace berth::launcher
