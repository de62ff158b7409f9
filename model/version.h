// The version of this build; CMakeLists.txt has the same (checked by a test).
#pragma once

namespace berth {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace berth
