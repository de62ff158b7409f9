// Starting a program with nothing of Berth's around it: the reference, and the way in
// which other sandboxes are started. The clock runs from before posix_spawn to the first
// byte in the pipe, and to the reaped end.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "bench/bench.h"

namespace berth::bench {

struct Times {
    Steady::duration first_byte{};
    Steady::duration end{};
};

// A file that the program finds open, at its beginning, as descriptor kGivenFile.
inline constexpr int kGivenFile = 9;

struct Command {
    std::vector<std::string> argv;  // argv[0] is a path
    std::string given_file{};       // empty: none
    std::string errors = "/dev/null";
};

pid_t spawn(const Command& command, const Fd& from, int to);
Times run_command(const Command& command);

// Waits for input, and throws when it takes so long that something hangs.
void await_readable(int fd, const char* what);
void await_byte(const Fd& pipe);

}  // namespace berth::bench
