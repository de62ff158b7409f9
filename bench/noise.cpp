#include "bench/noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench/endtoend.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kPatience = 60s;
constexpr auto kUntilItIsLoud = 1s;  // from the script's start until it stands at its limits
constexpr const char* kQuiet = "quiet";

// A tenant of its own whose script makes it.
class Noise {
public:
    Noise(Daemons& daemons, const std::string& kind)
        : daemons_{daemons},
          tenant_{daemons.add_tenant(
              daemons.install("noise-" + kind, programs() / "noisy", "./program " + kind),
              "noisy")} {}

    void begin() {
        const std::string trigger = json::parse(daemons_.must(
            "POST", fmt::format("/v2/tenants/{}/sync?mode=normal", tenant_)))["trigger_id"];
        run_ = await("/v2/runs/triggers/" + trigger + "/status", "running")["run_id"];
        std::this_thread::sleep_for(kUntilItIsLoud);
    }
    // What its record says.
    json end() {
        const auto run = fmt::format("/v2/runs/{}", run_);
        const json now = json::parse(daemons_.must("GET", run));
        if (now["state"] != "running")
            throw std::runtime_error{fmt::format("the noise went away: {}", now.dump())};
        daemons_.must("POST", run + "/cancel");
        return await(run, "cancelled");
    }

private:
    json await(const std::string& target, std::string_view state) {
        Client client{daemons_.socket()};
        for (const auto deadline = Steady::now() + kPatience; Steady::now() < deadline;) {
            const auto response = client.get(target);
            if (response && response->ok()) {
                json found = json::parse(response->body);
                if (found["state"] == state) return found;
            }
            std::this_thread::sleep_for(5ms);  // another process's work: there is no event
        }
        throw std::runtime_error{fmt::format("'{}' did not become {}", target, state)};
    }

    Daemons& daemons_;
    std::int64_t tenant_;
    std::int64_t run_ = 0;
};

}  // namespace

void measure_noise(int starts, int rounds, std::uint64_t seed, Figures& figures) {
    std::mt19937_64 random{seed};
    EndToEnd berth{1};
    std::vector<std::string> cases{kQuiet};
    std::map<std::string, Noise> noises;
    for (const char* kind : {"print", "multiply", "fill", "all"}) {
        noises.try_emplace(kind, berth.daemons(), kind);
        cases.emplace_back(kind);
    }
    std::map<std::string, Samples> accepted, first_byte;
    std::map<std::string, double> cpu_ms;
    for (int round = 0; round < rounds; ++round) {
        std::ranges::shuffle(cases, random);
        for (const std::string& name : cases) {
            const auto noise = noises.find(name);
            if (noise != noises.end()) noise->second.begin();
            for (int i = 0; i < starts; ++i) {
                const OneRun times = berth.run_once();
                accepted[name].add(times.accepted);
                first_byte[name].add(times.first_byte);
            }
            if (noise == noises.end()) continue;
            const json used = noise->second.end()["usage"];
            cpu_ms[name] += used["user_ms"].get<double>() + used["system_ms"].get<double>();
        }
    }
    figures.title("starts of one tenant beside another's noise (in turns)");
    for (const auto& [name, samples] : first_byte) {
        figures.add(fmt::format("{}: accepted", name), accepted[name]);
        figures.add(fmt::format("{}: first byte", name), samples);
        if (name != kQuiet)
            figures.add(fmt::format("{}: processor time that the noise had", name), cpu_ms[name],
                        "ms");
    }
    for (const char* name : {"print", "multiply", "fill", "all"})
        for (const double of : {0.5, 0.99})
            figures.goal(fmt::format("first byte p{:.0f} beside '{}' / quiet", of * 100, name),
                         Wanted::at_most, 2,
                         first_byte[name].percentile(of) / first_byte[kQuiet].percentile(of));
}

}  // namespace berth::bench
