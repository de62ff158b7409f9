#include "bench/sustained.h"

#include <sys/resource.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace berth::bench {
namespace {

double ms_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

double used_ms() {
    double sum = 0;
    for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        ::getrusage(who, &usage);
        sum += ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
    }
    return sum;
}

}  // namespace

CpuTime::CpuTime() : at_ms_{used_ms()} {}

double CpuTime::ms_since() const { return used_ms() - at_ms_; }

Sustained sustained(int count, Steady::duration took, const CpuTime& since) {
    return {count / std::chrono::duration<double>{took}.count(),
            since.ms_since() / (count + kUncountedRuns)};
}

Sustained sustain_commands(const std::function<Command()>& command, int in_flight, int count) {
    const CpuTime before;
    std::atomic<int> left{count + kUncountedRuns};
    std::atomic<int> done{0};
    std::mutex lock;
    Steady::time_point began, ended;
    std::string trouble;
    const auto work = [&] {
        try {
            while (left.fetch_sub(1) > 0) {
                (void)run_command(command());
                const int so_far = ++done;
                if (so_far == kUncountedRuns) began = Steady::now();
                if (so_far == kUncountedRuns + count) ended = Steady::now();
            }
        } catch (const std::exception& failure) {
            const std::lock_guard guard{lock};
            trouble = failure.what();
        }
    };
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < in_flight; ++i)
            threads.emplace_back(work);
    }
    if (!trouble.empty()) throw std::runtime_error{trouble};
    return sustained(count, ended - began, before);
}

}  // namespace berth::bench
