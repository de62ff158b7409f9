#include "base/undumpable.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

namespace berth {

void make_undumpable() {
    const rlimit no_core{0, 0};
    check(::setrlimit(RLIMIT_CORE, &no_core), "forbidding core dumps");
    // While we are dumpable: afterwards the file belongs to root. A kernel without core
    // dumps does not have it.
    const Fd filter{::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC)};
    if (filter) check(::write(filter.get(), "0", 1), "emptying core dumps");
    check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "making the process undumpable");
}

}  // namespace berth
