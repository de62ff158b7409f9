// Taking more and more of something, until it is refused.
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/sandbox/probe.h"

namespace probe {
namespace {

void act_fork() {
    int count = 0;
    for (;; ++count) {
        const pid_t pid = ::fork();
        if (pid < 0) break;
        if (pid == 0) {
            ::pause();
            ::_exit(0);
        }
    }
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

void act_threads() {
    pthread_attr_t small;
    ::pthread_attr_init(&small);
    ::pthread_attr_setstacksize(&small, 64 << 10);
    int count = 0;
    int err = 0;
    for (pthread_t thread;; ++count) {
        const auto wait = [](void*) -> void* { return ::pause(), nullptr; };
        err = ::pthread_create(&thread, &small, wait, nullptr);
        if (err != 0) break;
    }
    std::printf("%d %s\n", count, ::strerrorname_np(err));
}

// Chains of processes, each of which leaves its successor to pid 1 and ends. They begin
// together, and one of them reports: whoever made them would starve among those that run.
void act_orphans(int chains) {
    constexpr int kReportingGeneration = 5;
    int gate[2];
    if (::pipe(gate) < 0) ::_exit(1);
    for (int i = 0; i < chains; ++i) {
        if (::fork() != 0) continue;
        char byte;
        (void)::close(gate[1]);
        (void)!::read(gate[0], &byte, 1);  // its end
        for (int generation = 0;; ++generation) {
            if (i == 0 && generation == kReportingGeneration) (void)!::write(1, "ready\n", 6);
            if (::fork() > 0) ::_exit(0);
        }
    }
    (void)::close(gate[1]);
    for (;;)
        ::pause();
}

void act_allocate(std::size_t mib) {
    std::size_t done = 0;
    for (; done < mib; ++done) {
        void* block = std::malloc(1 << 20);
        if (block == nullptr) break;
        std::memset(block, 1, 1 << 20);
    }
    std::puts(done == mib ? "ok" : "ENOMEM");
}

// System V segments of 1 MiB, until the kernel refuses.
void act_shared_memory() {
    int count = 0;
    while (::shmget(IPC_PRIVATE, 1 << 20, 0600) >= 0)
        ++count;
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

// Semaphores and queues, until the kernel refuses.
void act_ipc_objects() {
    int sets = 0;
    int queues = 0;
    while (::semget(IPC_PRIVATE, 250, 0600) >= 0)
        ++sets;
    while (::msgget(IPC_PRIVATE, 0600) >= 0)
        ++queues;
    std::printf("%d %d %s\n", sets, queues, ::strerrorname_np(errno));
}

// Pages that stay in memory, one after the other.
void act_lock_memory() {
    constexpr std::size_t kPage = 4096;
    constexpr std::size_t kMost = 64 << 20;
    std::size_t locked = 0;
    while (locked < kMost) {
        void* page =
            ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED || ::mlock(page, kPage) < 0) break;
        locked += kPage;
    }
    std::printf("%zu %s\n", locked, locked == kMost ? "ok" : ::strerrorname_np(errno));
}

void act_timers() {
    constexpr int kMost = 100'000;
    int count = 0;
    for (timer_t timer; count < kMost && ::timer_create(CLOCK_MONOTONIC, nullptr, &timer) == 0;)
        ++count;
    std::printf("%d %s\n", count, count == kMost ? "ok" : ::strerrorname_np(errno));
}

// POSIX queues of messages, which are the kernel's memory.
void act_message_queues() {
    constexpr int kMost = 64;
    int count = 0;
    for (; count < kMost; ++count) {
        const std::string name = "/berth-probe-" + std::to_string(count);
        const mqd_t queue = ::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, nullptr);
        if (queue < 0) break;
        ::mq_unlink(name.c_str());
    }
    std::printf("%d %s\n", count, count == kMost ? "ok" : ::strerrorname_np(errno));
}

}  // namespace

std::optional<int> take_resources(const Words& words) {
    const std::string act = words[0];
    if (act == "fork") return act_fork(), 0;
    if (act == "threads") return act_threads(), 0;
    if (act == "orphans") return act_orphans(std::stoi(words[1])), 0;
    if (act == "allocate") return act_allocate(std::stoul(words[1])), 0;
    if (act == "shared-memory") return act_shared_memory(), 0;
    if (act == "ipc-objects") return act_ipc_objects(), 0;
    if (act == "lock-memory") return act_lock_memory(), 0;
    if (act == "timers") return act_timers(), 0;
    if (act == "message-queues") return act_message_queues(), 0;
    return {};
}

}  // namespace probe
