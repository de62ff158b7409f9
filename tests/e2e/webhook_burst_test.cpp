// A burst of deliveries while a run is live, and berthd killed in the middle of it: what was
// answered with 2xx is there, once.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "tests/e2e/hooked.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using namespace std::chrono_literals;

namespace {

// BERTH_BURST: 10000 takes a while with the sanitizers.
int burst() {
    const char* given = std::getenv("BERTH_BURST");
    return given != nullptr ? std::atoi(given) : 1000;
}
constexpr int kConnections = 8;
// No machine is too slow for it: of ten deliveries one a second is enough.
std::chrono::seconds patience(int deliveries) {
    return 180s + std::chrono::seconds{deliveries / 10};
}

}  // namespace

TEST_CASE("of a burst of deliveries none is lost and none counts twice", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const int all = burst();
    // Each run tells the ids it got; the first lives until a bundle is full behind it.
    Hooked hooked{
        "grep -ho '\"n\":[0-9]*' /work/.berth/*.body >&2; "
        "if [ \"$PAN_CTX_RUN_ID\" = 1 ]; then sleep 20; else sleep 2; fi",
        "webhook_rate = 100000\n"};
    std::atomic<int> next{0}, answered{0}, again{0};
    std::atomic<bool> stuck{false};
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> providers;
    for (int c = 0; c < kConnections; ++c)
        providers.emplace_back([&] {
            auto client = std::make_unique<Client>(hooked.public_socket());
            for (int n = next++; n < all; n = next++) {
                const std::string body = fmt::format("{{\"n\":{}}}", n);
                const auto headers = Hooked::signed_by_github(body, fmt::format("d-{}", n));
                // As a provider does: until somebody has said 2xx. Some twice over.
                const auto deadline = std::chrono::steady_clock::now() + patience(all);
                for (int good = 0; good < (n % 10 == 0 ? 2 : 1);) {
                    auto answer = client->request("POST", hooked.path, body, headers);
                    if (answer && answer->status == 200) {
                        ++good;
                        continue;
                    }
                    ++again;
                    if (std::chrono::steady_clock::now() > deadline) {
                        stuck = true;
                        return;
                    }
                    if (!answer) client = std::make_unique<Client>(hooked.public_socket());
                    std::this_thread::yield();
                }
                ++answered;
            }
        });
    // In the midst of it, and not after.
    const bool half = eventually([&] { return answered >= all / 2 || stuck; }, patience(all));
    hooked.daemon.kill_daemon("berthd");
    for (auto& provider : providers)
        provider.join();
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
    REQUIRE(half);
    REQUIRE_FALSE(stuck);
    REQUIRE(answered == all);
    std::cout << fmt::format("{} deliveries in {:.1f} s, {:.0f} a second; {} tried again\n", all,
                             took.count(), all / took.count(), again.load());

    hooked.daemon.wait_ready();
    std::map<std::string, int> seen;  // trigger → runs
    std::map<std::string, int> numbers;
    // Asked without the runs themselves, whose lists are long.
    REQUIRE(eventually(
        [&] {
            const std::string metrics = hooked.daemon.request("GET", "/metrics").body;
            return Catch::Contains("\nberth_triggers_waiting 0\n").match(metrics) &&
                   Catch::Contains("state=\"queued\"} 0\n").match(metrics) &&
                   Catch::Contains("state=\"preparing\"} 0\n").match(metrics) &&
                   Catch::Contains("state=\"starting\"} 0\n").match(metrics) &&
                   Catch::Contains("state=\"running\"} 0\n").match(metrics);
        },
        patience(all)));
    std::size_t largest = 0;
    for (const json& run : hooked.runs()) {
        INFO(run.dump().substr(0, 500)
             << " … " << run["state"] << ", triggers " << run["triggers"].size());
        CHECK(run["mode"] == "webhook");
        CHECK(run["state"] == "succeeded");
        largest = std::max(largest, run["triggers"].size());
        for (const json& trigger : run["triggers"])
            ++seen[trigger["id"]];
        const std::string log = hooked.daemon.run_log(run["id"]);
        INFO("its log: " << log.substr(0, 500));
        std::size_t told = 0;
        for (const std::string& line : split(log, '\n'))
            if (const auto at = line.find("\"n\":"); at != std::string::npos) {
                ++told;
                ++numbers[line.substr(at)];
            }
        CHECK(told == run["triggers"].size());
    }
    CHECK(seen.size() == static_cast<std::size_t>(all));
    CHECK(numbers.size() == static_cast<std::size_t>(all));
    CHECK(largest > 1);  // bundled
    for (const auto& [number, times] : numbers) {
        INFO(number);
        CHECK(times == 1);
    }
}
