// berth_sim --seeds N [--first SEED] [--plant BUG] [--tell] [--seconds N]: simulates
// until the seeds or the time are used up, and ends at the first thing that is wrong.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "base/log.h"
#include "tests/sim/plants.h"
#include "tests/sim/simulate.h"

int main(int argc, char** argv) {
    using namespace berth::sim;
    std::uint64_t seeds = 100, first = std::random_device{}();
    std::chrono::seconds most{24 * 3600};
    bool tell = false;
    if (const char* given = std::getenv("BERTH_SEED")) first = std::strtoull(given, nullptr, 10);
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : "";
        if (option == "--tell") {
            tell = true;
            continue;
        }
        if (option == "--seeds")
            seeds = std::strtoull(value, nullptr, 10);
        else if (option == "--first")
            first = std::strtoull(value, nullptr, 10);
        else if (option == "--seconds")
            most = std::chrono::seconds{std::strtoll(value, nullptr, 10)};
        else if (option == "--plant")
            plant(value);
        else {
            std::cerr << "berth_sim: unknown option '" << option << "'\n";
            return 2;
        }
        ++i;
    }
    berth::set_log_sink([](berth::LogLevel, std::string_view, const auto&) {});
    const auto end = std::chrono::steady_clock::now() + most;
    std::uint64_t events = 0, done = 0;
    std::map<std::string, std::uint64_t> met;
    for (; done < seeds && std::chrono::steady_clock::now() < end; ++done) {
        const auto simulated = simulate(first + done, tell);
        events += simulated.events;
        for (const auto& [what, times] : simulated.met)
            met[what] += times;
        if (simulated.wrongs.empty()) continue;
        std::cout << "BERTH_SEED=" << first + done << " after " << done + 1 << " seeds\n";
        for (const std::string& wrong : simulated.wrongs)
            std::cout << "  " << wrong << '\n';
        return 1;
    }
    std::cout << done << " seeds from " << first << ", " << events << " events, nothing wrong\n";
    for (const auto& [what, times] : met)
        std::cout << "  " << times << "  " << what << '\n';
    return 0;
}
