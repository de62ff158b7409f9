#include "bench/parked.h"

#include <fmt/format.h>

#include <fstream>
#include <thread>
#include <vector>

#include "bench/sandboxed.h"

namespace berth::bench {
namespace {

constexpr double kStackKib = 16;

// The number of KiB behind `name:` in a file of such lines; 0 when there is none.
double kib_of(const std::string& file, const std::string& name) {
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name + ":"))
            return std::strtod(line.c_str() + name.size() + 1, nullptr);
    return 0;
}

std::vector<pid_t> children_of(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{0}/task/{0}/children", pid)};
    std::vector<pid_t> children;
    for (pid_t child; file >> child;)
        children.push_back(child);
    return children;
}

void add_process(pid_t pid, ParkedMemory& sum) {
    const auto file = [&](const char* name) { return fmt::format("/proc/{}/{}", pid, name); };
    for (const char* kind : {"Private_Clean", "Private_Dirty"})
        sum.processes += kib_of(file("smaps_rollup"), kind);
    sum.page_tables += kib_of(file("status"), "VmPTE");
    sum.stacks += kStackKib;
    for (const pid_t child : children_of(pid))
        add_process(child, sum);
}

struct Kernel {
    double slab = kib_of("/proc/meminfo", "Slab");
    double per_cpu = kib_of("/proc/meminfo", "Percpu");
};

// The kernel gives back late what a sandbox had.
void settle() {
    wait_for_quiet();
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace

ParkedMemory measure_parked(const std::string& launcher, const std::filesystem::path& program,
                            unsigned count, int rounds) {
    ParkedMemory of_one;
    std::vector<double> slab, per_cpu;
    for (int round = 0; round < rounds; ++round) {
        settle();
        const Kernel before;
        {
            Launcher pool{launcher, program, Found::parked, count};
            pool.await_parked();
            settle();
            const Kernel full;
            slab.push_back((full.slab - before.slab) / count);
            per_cpu.push_back((full.per_cpu - before.per_cpu) / count);
            ParkedMemory sum;
            const auto sandboxes = children_of(pool.pid());
            for (const pid_t pid : sandboxes)
                add_process(pid, sum);
            const auto found = static_cast<double>(sandboxes.size());
            of_one.processes = sum.processes / found;
            of_one.page_tables = sum.page_tables / found;
            of_one.stacks = sum.stacks / found;
        }
    }
    of_one.slab = median(slab);
    of_one.per_cpu = median(per_cpu);
    return of_one;
}

}  // namespace berth::bench
