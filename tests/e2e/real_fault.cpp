#include "tests/e2e/real_fault.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdint>

#include "tests/support/daemon_fixture.h"

namespace berth::test {
namespace {

static_assert(sizeof(long) == 8, "registers are those of x86-64");

constexpr long kSyscallInstruction = 0x050f;
constexpr std::uint64_t kBelowRedZone = 1024;

long trace(int request, pid_t pid, std::uint64_t address = 0, const void* data = nullptr) {
    return ::ptrace(static_cast<__ptrace_request>(request), pid, address, data);
}

bool wait_stop(pid_t pid) {
    int status = 0;
    return ::waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

// Has the stopped process call sigaction(SIGSEGV, default).
bool forget_handler(pid_t pid, const user_regs_struct& before) {
    const auto at = before.rip - 2;
    if ((trace(PTRACE_PEEKTEXT, pid, at) & 0xffff) != kSyscallInstruction) return false;
    const auto zeros = (before.rsp - kBelowRedZone) & ~std::uint64_t{15};
    for (std::uint64_t i = 0; i < 4; ++i)
        if (trace(PTRACE_POKEDATA, pid, zeros + 8 * i) < 0) return false;
    user_regs_struct call = before;
    call.orig_rax = static_cast<unsigned long long>(-1);  // nothing is to be started again
    call.rax = SYS_rt_sigaction;
    call.rdi = SIGSEGV;
    call.rsi = zeros;
    call.rdx = 0;
    call.r10 = 8;
    call.rip = at;
    if (trace(PTRACE_SETREGS, pid, 0, &call) < 0) return false;
    if (trace(PTRACE_SINGLESTEP, pid) < 0 || !wait_stop(pid)) return false;
    return trace(PTRACE_GETREGS, pid, 0, &call) == 0 && call.rax == 0;
}

// False when it was elsewhere than in a system call; it goes on, then.
bool try_fault(pid_t pid) {
    REQUIRE(trace(PTRACE_SEIZE, pid) == 0);
    REQUIRE(trace(PTRACE_INTERRUPT, pid) == 0);
    REQUIRE(wait_stop(pid));
    user_regs_struct registers{};
    REQUIRE(trace(PTRACE_GETREGS, pid, 0, &registers) == 0);
    const bool ready = forget_handler(pid, registers);
    if (ready) {
        registers.orig_rax = static_cast<unsigned long long>(-1);
        registers.rip = 0;
        REQUIRE(trace(PTRACE_SETREGS, pid, 0, &registers) == 0);
    }
    REQUIRE(trace(PTRACE_DETACH, pid) == 0);
    return ready;
}

}  // namespace

void make_fault(pid_t pid) {
    REQUIRE(eventually([pid] { return try_fault(pid); }));
}

}  // namespace berth::test
