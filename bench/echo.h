// A process that sleeps until it gets a byte, and gives it back: what one more process on
// the way of a start costs on this machine, whatever it does.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "bench/starts.h"

namespace berth::bench {

class Echo {
public:
    Echo();
    ~Echo();
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;

    // Both times are those of the byte that came back.
    Times there_and_back();

private:
    Fd ours_;
    pid_t pid_ = -1;
};

}  // namespace berth::bench
