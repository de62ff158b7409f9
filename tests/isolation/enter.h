// Into a live sandbox with every capability and without its filter: what is left of
// the walls when the layers on top of them have failed (sandbox.md T14).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace berth::isolation {

// Runs `argv` in all namespaces of process `pid`, the user namespace last, as root of
// that one; its output.
std::string run_inside_as_root(pid_t pid, const std::vector<std::string>& argv);

}  // namespace berth::isolation
