#include "bench/bench.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

namespace berth::bench {
namespace {

// The `1` of `0.20 0.18 0.12 1/80 11206`: this thread, when all is quiet.
int runnable() {
    std::ifstream file{"/proc/loadavg"};
    std::string word;
    for (int i = 0; i < 4; ++i)
        file >> word;
    return std::atoi(word.c_str());
}

}  // namespace

void Samples::add(Steady::duration time) {
    micros_.push_back(std::chrono::duration<double, std::micro>{time}.count());
}

void Samples::add(const Samples& others) {
    micros_.insert(micros_.end(), others.micros_.begin(), others.micros_.end());
}

double Samples::percentile(double p) const {
    if (micros_.empty()) return 0;
    auto sorted = micros_;
    const auto at = static_cast<std::ptrdiff_t>(p * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
    return sorted[static_cast<std::size_t>(at)];
}

void print_head(std::string_view title, std::string_view unit) {
    fmt::print("\n{}\n{:<34} {:>6} {:>9} {:>9} {:>9}   {:>6} {:>6} {:>6}\n", title,
               fmt::format("({})", unit), "n", "p50", "p90", "p99", "/p50", "/p90", "/p99");
}

void print_line(std::string_view name, const Samples& samples, const Samples& reference) {
    fmt::print("{:<34} {:>6}", name, samples.size());
    for (const double p : {0.5, 0.9, 0.99})
        fmt::print(" {:>9.1f}", samples.percentile(p));
    fmt::print("  ");
    for (const double p : {0.5, 0.9, 0.99}) {
        const double base = reference.percentile(p);
        fmt::print(" {:>6.2f}", base > 0 ? samples.percentile(p) / base : 0);
    }
    fmt::print("\n");
}

bool wait_for_quiet(std::chrono::milliseconds most) {
    const auto deadline = Steady::now() + most;
    while (runnable() > 1) {
        if (Steady::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

bool go_first(Precedence how) {
    if (how == Precedence::nice) return ::setpriority(PRIO_PROCESS, 0, -20) == 0;
    const sched_param lowest{.sched_priority = 1};
    return ::sched_setscheduler(0, SCHED_RR, &lowest) == 0;
}

std::uint64_t seed_of(std::uint64_t given) {
    if (const char* wanted = std::getenv("BERTH_SEED"); given == 0 && wanted != nullptr)
        given = std::strtoull(wanted, nullptr, 10);
    while (given == 0)
        given = std::random_device{}();
    fmt::print("BERTH_SEED={}\n", given);
    return given;
}

int times(int preset) {
    const char* wanted = std::getenv("BERTH_BENCH_N");
    const int given = wanted != nullptr ? std::atoi(wanted) : 0;
    return given > 0 ? given : preset;
}

std::string program_on_path(std::string_view name) {
    const char* path = std::getenv("PATH");
    std::istringstream folders{path != nullptr ? path : ""};
    for (std::string folder; std::getline(folders, folder, ':');) {
        auto file = fmt::format("{}/{}", folder, name);
        if (::access(file.c_str(), X_OK) == 0) return file;
    }
    return {};
}

}  // namespace berth::bench
