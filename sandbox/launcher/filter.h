// The seccomp programs, made once at the launcher's start and loaded as they are by
// every sandbox (compiling one takes longer than the rest of a start).
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <span>
#include <vector>

namespace berth::launcher {

struct Filter {
    std::vector<sock_filter> program;
    bool notifies = false;  // refused calls are answered by a listener: see refusals.h
    // For the calling process, for ever; no_new_privs must be set. 0, or an errno value.
    int load() const noexcept;
    int load_with_listener(int& listener) const noexcept;
};

struct FilterOptions {
    bool notify = false;  // say which calls are refused, where the kernel can
    bool strict = false;  // close what remains between runs: locks on files they share
    std::span<const char* const> extra = {};  // calls that an administrator has granted
};

// Nothing in `program`, and an errno value in `err`, when libseccomp refused.
Filter make_script_filter(const FilterOptions& options, int& err);
Filter make_init_filter(int& err);

}  // namespace berth::launcher
