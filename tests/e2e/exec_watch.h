// Every program that a process and all that comes of it execute, with its arguments: each is
// stopped by ptrace(2) when it begins, so that none is too short to be seen.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "base/fd.h"

namespace berth::test {

class ExecWatch {
public:
    // From now on, of `root` and what it starts from now on. Needs the right to trace.
    explicit ExecWatch(pid_t root);
    ExecWatch(const ExecWatch&) = delete;
    ExecWatch& operator=(const ExecWatch&) = delete;
    ~ExecWatch();

    struct Seen {
        std::size_t programs = 0;
        std::string arguments;  // of one after the other
    };
    // So far.
    Seen seen() const;

private:
    Fd kept_;  // a file without a name, written by the tracer
    pid_t tracer_ = -1;
};

}  // namespace berth::test
