// What a daemon does when there is no memory left: it ends at once, and is started again.
#pragma once

namespace berth {

// From now on an operator new that fails says so in `program`'s name and ends the process
// (SIGABRT), instead of throwing std::bad_alloc into code that is in the middle of something:
// what is on the disk is whole, what is in memory need not be (decision 036).
void end_when_out_of_memory(const char* program) noexcept;

}  // namespace berth
