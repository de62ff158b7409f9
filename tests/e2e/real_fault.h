// A fault as a mistake of the program's own would be: not a signal that somebody sends, which a
// program can block, but an instruction that cannot be executed.
#pragma once

#include <sys/types.h>

namespace berth::test {

// The process goes on at address 0, where SIGSEGV ends it: what a sanitizer has set up to hear
// of it is taken away before. Needs the right to trace it, and that it waits in a system call.
void make_fault(pid_t pid);

}  // namespace berth::test
