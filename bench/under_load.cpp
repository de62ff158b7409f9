#include "bench/under_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include "bench/http_wire.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kConnections = 128;  // for what is offered at a rate; half of what one user may have
constexpr int kClients = 64;       // that keep berthd busy (L2)
constexpr auto kDrained = 60s;     // of whatever was accepted
constexpr std::size_t kLookedAt = 20'000;  // of the accepted of a step, evenly
constexpr double kMostGrowthMib = 64;
constexpr double kBackMs = 5'000;

// The largest that a program was, for as long as this lives.
class Largest {
public:
    explicit Largest(std::function<double()> ask)
        : thread_{[this, ask = std::move(ask)](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  most_ = std::max<double>(most_, ask());
                  std::this_thread::sleep_for(200ms);
              }
          }} {}
    double most() const { return most_; }

private:
    std::atomic<double> most_{0};
    std::jthread thread_;
};

double seconds(Steady::duration time) { return std::chrono::duration<double>{time}.count(); }

}  // namespace

UnderLoad::UnderLoad(const LoadOptions& options, Figures& figures)
    : options_{options}, figures_{figures}, berth_{options.tenants} {
    std::array<double, 3> found{};
    for (double& one : found)
        one = berth_.work_off(options.tenants).per_second;
    std::ranges::sort(found);
    capacity_ = found[1];
    figures_.title("capacity, with the settings as they come");
    figures_.add("runs that waited, worked off", capacity_, "/s");
}

Offer UnderLoad::triggers(double per_second, int connections, Steady::duration time) const {
    Offer offer{.requests = {},
                .connections = connections,
                .per_second = per_second,
                .time = time,
                .seed = options_.seed};
    for (const auto tenant : berth_.tenants())
        offer.requests.push_back(
            post_request(fmt::format("/v2/tenants/{}/sync?mode=normal", tenant)));
    return offer;
}

void UnderLoad::curve() {
    figures_.title("from when it is wanted to the first byte, at shares of the capacity");
    const BareStarts bare{{(programs() / "first_line").string()}};
    for (const int percent : {50, 80, 100}) {
        Samples reference, first_byte;
        for (int i = 0; i < 100; ++i)
            reference.add(bare.run_once().first_byte);
        const Offered offered =
            offer(berth_.daemons().socket(),
                  triggers(capacity_ * percent / 100, kConnections, options_.time));
        int lost = 0;
        const auto deadline = Steady::now() + kDrained;
        for (const Accepted& one : offered.accepted) {
            const auto began = berth_.first_byte(one.trigger, deadline);
            if (began)
                first_byte.add(*began - one.wanted);
            else
                ++lost;
        }
        const auto name = fmt::format("at {} %", percent);
        figures_.add(name + ": accepted", static_cast<double>(offered.accepted.size()), "");
        figures_.add(name + ": not accepted",
                     static_cast<double>(offered.asked - std::ssize(offered.accepted)), "");
        figures_.add(name + ": accepted and lost", lost, "");
        figures_.add(name + ": answer", offered.answers);
        figures_.add(name + ": first byte", first_byte);
        figures_.add(name + ": one fsync, one posix_spawn", reference);
        figures_.goal(name + ": accepted and lost", Wanted::at_most, 0, lost);
        if (percent > 50) continue;
        for (const auto& [of, limit] : {std::pair{0.5, 4.0}, {0.99, 8.0}})
            figures_.goal(fmt::format("{}: first byte p{:.0f} / bare", name, of * 100),
                          Wanted::at_most, limit,
                          first_byte.percentile(of) / reference.percentile(of));
    }
}

double UnderLoad::runs_ended() {
    return berth_.daemons().metric(R"(berth_runs_ended_total{state="succeeded"})");
}

double UnderLoad::resident() const {
    const auto all = berth_.resident_mib();
    const auto found = all.find("berthd");
    return found == all.end() ? 0 : found->second;
}

// Until five starts, one after the other, are about as fast as they were; at most the time
// of a step.
Steady::duration UnderLoad::until_normal() {
    const auto end = Steady::now();
    const auto normal = std::chrono::duration<double, std::micro>{2 * quiet_.percentile(0.99)};
    auto back = end;
    for (int good = 0; good < 5 && Steady::now() < end + options_.time;) {
        if (good == 0) back = Steady::now();
        good = berth_.run_once().first_byte <= normal ? good + 1 : 0;
        if (good == 0) back = Steady::now();
    }
    return back - end;
}

std::int64_t UnderLoad::lost(const std::vector<Accepted>& accepted) {
    const auto deadline = Steady::now() + kDrained;
    const std::size_t step = accepted.size() / kLookedAt + 1;
    std::int64_t count = 0, looked_at = 0;
    for (std::size_t i = 0; i < accepted.size(); i += step, ++looked_at)
        if (!berth_.first_byte(accepted[i].trigger, deadline)) ++count;
    figures_.add("  accepted ones that were followed", static_cast<double>(looked_at), "");
    return count;
}

// What was done of it a second.
double UnderLoad::step(const Step& step) {
    const auto add = [&](const char* what, double value, const char* unit = "") {
        figures_.add(fmt::format("{}: {}", step.name, what), value, unit);
    };
    const double ended_before = runs_ended();
    const Largest largest{[this] { return resident(); }};
    const Offered offered = offer(berth_.daemons().socket(), step.offer);
    const double took = seconds(offered.took);
    const double runs = (runs_ended() - ended_before) / took;
    const auto accepted = static_cast<double>(offered.accepted.size());
    const Steady::duration back = until_normal();
    const double grown = largest.most() - resident_before_;

    add("asked", static_cast<double>(offered.asked));
    add("accepted", accepted);
    add("accepted a second", accepted / took, "/s");
    add("refused", static_cast<double>(offered.refused));
    add("refused, not told when to come again", static_cast<double>(offered.without_when));
    add("connections closed without an answer", static_cast<double>(offered.turned_away));
    add("never answered", static_cast<double>(offered.not_answered));
    figures_.add(step.name + ": answer", offered.answers);
    if (offered.refused > 0) figures_.add(step.name + ": refusal", offered.refusals);
    add("runs ended", runs, "/s");
    add("berthd has grown by", grown, "MiB");
    add("back to normal after", seconds(back) * 1e3, "ms");
    const auto gone = static_cast<double>(lost(offered.accepted));
    add("accepted and lost", gone);

    const auto goal = [&](const char* what, Wanted wanted, double limit, double measured) {
        figures_.goal(fmt::format("{}: {}", step.name, what), wanted, limit, measured);
    };
    const double done = step.done == Step::Done::runs ? runs : accepted / took;
    if (step.peak > 0) goal("done / at its best", Wanted::at_least, 0.9, done / step.peak);
    goal("accepted and lost", Wanted::at_most, 0, gone);
    goal("never answered", Wanted::at_most, 0, static_cast<double>(offered.not_answered));
    goal("not told when", Wanted::at_most, 0,
         static_cast<double>(offered.without_when + offered.turned_away));
    goal("berthd has grown by (MiB)", Wanted::at_most, kMostGrowthMib, grown);
    goal("back to normal after (ms)", Wanted::at_most, kBackMs, seconds(back) * 1e3);
    return done;
}

void UnderLoad::overload() {
    for (int i = 0; i < 20; ++i)
        quiet_.add(berth_.run_once().first_byte);
    resident_before_ = resident();
    figures_.title("more runs than can be kept up with");
    figures_.add("one at a time: first byte", quiet_);
    for (const int times : {2, 10})
        (void)step({.name = fmt::format("{} times the capacity", times),
                    .offer = triggers(times * capacity_, kConnections, options_.time),
                    .peak = capacity_});

    figures_.title("more clients than can be answered, each again and again");
    const auto time = Steady::duration{options_.time} / 4;
    double peak = 0;
    for (const int times : {1, 2, 10}) {
        const double done = step({.name = fmt::format("{} clients", times * kClients),
                                  .offer = triggers(0, times * kClients, time),
                                  .peak = peak,
                                  .done = Step::Done::accepted});
        if (times == 1) peak = done;
    }
    // How far the machine has moved meanwhile.
    figures_.add("capacity, once more at the end", berth_.work_off(options_.tenants).per_second,
                 "/s");
}

}  // namespace berth::bench
