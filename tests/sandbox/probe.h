// The parts of the probe: each knows some acts by their names.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace probe {

// The act's name and its arguments; one that is missing is empty.
struct Words {
    std::vector<std::string> all;
    std::string operator[](std::size_t i) const { return i < all.size() ? all[i] : ""; }
};

// The exit code; nothing when the act is another part's.
std::optional<int> act_on_files(const Words& words);
std::optional<int> make_call(const Words& words);
std::optional<int> take_resources(const Words& words);
std::optional<int> fill_buffers(const Words& words);

// Prints what a call returned; its value does not matter when it worked.
inline void said(long rc) { std::puts(rc < 0 ? ::strerrorname_np(errno) : "ok"); }

}  // namespace probe
