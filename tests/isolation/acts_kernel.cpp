// The kernel's large or dangerous surfaces, with arguments that its own checks take.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/quota.h>
#include <sys/klog.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "tests/isolation/acts.h"

namespace berth::acts {
namespace {

int set_up_io_uring(const Host&) {
    io_uring_params params{};
    return outcome(::syscall(SYS_io_uring_setup, 2, &params));
}

int load_bpf(const Host&) {
    bpf_attr attr{};
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 4;
    attr.max_entries = 1;
    return outcome(::syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr));
}

int count_events(const Host&) {
    perf_event_attr attr{};
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof attr;
    attr.config = PERF_COUNT_SW_CPU_CLOCK;
    return outcome(::syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

int add_key(const Host&) {
    return outcome(::syscall(SYS_add_key, "user", "berth-act", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

// The handle of a folder, made up where asking for it is refused too.
int open_by_handle(const Host&) {
    alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> memory{};
    auto* handle = reinterpret_cast<file_handle*>(memory.data());
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    if (::name_to_handle_at(AT_FDCWD, "/etc", handle, &mount_id, 0) < 0) {
        handle->handle_bytes = 8;
        handle->handle_type = 1;
    }
    const int folder = ::open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return outcome(::open_by_handle_at(folder, handle, O_RDONLY | O_CLOEXEC));
}

#if defined(__x86_64__)
// getpid by the table of 32-bit programs.
int call_by_foreign_table(const Host&) {
    long rc = 20;
    asm volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
    return rc < 0 ? static_cast<int>(-rc) : 0;
}
#else
int call_by_foreign_table(const Host&) { return ENOSYS; }
#endif

constexpr Act kActs[] = {
    {"kernel", "set up an io_uring", set_up_io_uring},
    {"kernel", "load eBPF", load_bpf},
    {"kernel", "count performance events", count_events},
    {"kernel", "handle page faults (userfaultfd)",
     [](const Host&) { return outcome(::syscall(SYS_userfaultfd, O_CLOEXEC)); }},
    {"kernel", "put a key into a keyring", add_key},
    {"kernel", "open a file by its handle", open_by_handle},
    {"kernel", "load a kernel module",
     [](const Host&) { return outcome(::syscall(SYS_init_module, "", 0, "")); }},
    {"kernel", "prepare another kernel (kexec)",
     [](const Host&) { return outcome(::syscall(SYS_kexec_load, 0, 0, nullptr, 0)); }},
    {"kernel", "manage quotas",
     [](const Host&) {
         return outcome(::syscall(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), nullptr, 0, nullptr));
     }},
    {"kernel", "read the kernel's log",
     [](const Host&) {
         char text[256];
         return outcome(::klogctl(/*SYSLOG_ACTION_READ_ALL=*/3, text, sizeof text));
     }},
    {"kernel", "call by the 32-bit table", call_by_foreign_table},
};

}  // namespace

std::span<const Act> kernel_acts() { return kActs; }

}  // namespace berth::acts
