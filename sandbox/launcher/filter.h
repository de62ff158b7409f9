// The seccomp programs, made once at the launcher's start and loaded as they are by
// every sandbox (compiling one takes longer than the rest of a start).
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <vector>

namespace berth::launcher {

struct Filter {
    std::vector<sock_filter> program;
    // For the calling process, for ever; no_new_privs must be set. 0, or an errno value.
    int load() const noexcept;
};

// Nothing in `program`, and an errno value in `err`, when libseccomp refused.
Filter make_script_filter(int& err);
Filter make_init_filter(int& err);

}  // namespace berth::launcher
