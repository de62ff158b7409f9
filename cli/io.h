// Where a command reads and writes, and how it ends. Handed in, so that tests
// look at exactly what a person would see.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth {

// The exit codes of `berth`, as `berth --help` documents them.
enum class Exit {
    ok = 0,
    failed = 1,             // refused by the daemon, or it did not work
    usage = 2,              // the command line is wrong
    unreachable = 3,        // no daemon at the socket, or no right to speak to it
    run_not_succeeded = 4,  // --wait or -f: the run has ended otherwise
};

// `invalid` is used for the command line, `unavailable` for a daemon that cannot
// be reached; what the daemon answers never has these two (see api.h).
Exit exit_of(const Failure& failure);

struct Io {
    std::ostream& out;  // what was asked for
    std::ostream& err;  // remarks, progress, failures
    int in_fd = 0;
    bool colour_out = false;
    bool colour_err = false;
    std::size_t width = 0;  // columns of the terminal; 0: not a terminal, never cut
    std::function<std::optional<std::string>(const char* name)> environment;
};

// An Io over this process's descriptors: colours only on a terminal, and never
// with NO_COLOR or TERM=dumb.
Io process_io();

// Says a failure on io.err as `berth: ...`, escaped.
void say(Io& io, const Failure& failure);
// A remark on io.err.
void say(Io& io, std::string_view remark);

}  // namespace berth
