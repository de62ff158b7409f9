// cron_oracle [--zone-days N] [--plant gap|overlap]: compares model/schedule with
// an independent minute-by-minute cron, over every zone of zone1970.tab, every
// change of their clocks from 1970 to 2037 and random days up to 2100. Exit 1 when
// there is a difference. BERTH_SEED plays a run again. --plant asks the product for
// another rule than the oracle: it must then find differences.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "tests/cron/oracle/generate.h"
#include "tests/cron/oracle/vixie.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::oracle;

namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kFirst = 0;                   // 1970
constexpr std::int64_t kLastChange = 2'145'916'800;  // 2038-01-01
constexpr std::int64_t kLast = 4'102'444'800;        // 2100-01-01
constexpr std::int64_t kWindowDays = 3;
constexpr int kPatterns = 4;  // in each window

enum class Plant { none, gap, overlap };

struct Options {
    std::int64_t zone_days = 100'000;
    Plant plant = Plant::none;
};

// What one process has looked at; sent through a pipe as it is.
struct Tally {
    std::int64_t zones = 0, zone_days = 0, changes = 0, patterns = 0, impossible = 0, firings = 0;
    std::int64_t differences = 0;

    void add(const Tally& other) {
        zones += other.zones;
        zone_days += other.zone_days;
        changes += other.changes;
        patterns += other.patterns;
        impossible += other.impossible;
        firings += other.firings;
        differences += other.differences;
    }
};

UtcSeconds utc(std::int64_t t) { return UtcSeconds{std::chrono::seconds{t}}; }

std::vector<std::string> zone_names() {
    std::ifstream in{"/usr/share/zoneinfo/zone1970.tab"};
    std::vector<std::string> names;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with('#')) continue;
        std::istringstream fields{line};
        std::string country, place, name;
        fields >> country >> place >> name;
        names.push_back(name);
    }
    return names;
}

ClockRule random_rule(std::mt19937_64& random) {
    return {static_cast<GapRule>(test::below(random, 3)),
            static_cast<OverlapRule>(test::below(random, 3))};
}

ClockRule planted(ClockRule rule, Plant plant) {
    if (plant == Plant::gap)
        rule.gap = rule.gap == GapRule::at_end ? GapRule::shifted : GapRule::at_end;
    if (plant == Plant::overlap)
        rule.overlap =
            rule.overlap == OverlapRule::first ? OverlapRule::second : OverlapRule::first;
    return rule;
}

// No day of 28 years, in which every date falls on every weekday.
bool never_matches(const TextPattern& pattern) {
    constexpr std::int64_t kFrom = 10'957;  // 2000-01-01
    for (std::int64_t day = kFrom; day < kFrom + 28 * 1461 / 4; ++day)
        if (pattern.day_matches(Date::of(day))) return false;
    return true;
}

class Comparer {
public:
    Comparer(const std::string& name, std::uint64_t seed, Plant plant)
        : name_{name}, plant_{plant}, random_{seed}, libc_{name} {
        Zones zones;
        auto zone = zones.find(name);
        if (!zone) throw std::runtime_error{zone.error().message};
        zone_ = *zone;
        ++tally_.zones;
    }

    // All changes if there is room for them, and random windows in any case.
    void look_at(std::int64_t zone_days) {
        auto changes = libc_.changes(kFirst, kLastChange);
        std::ranges::shuffle(changes, random_);
        const auto windows = std::max<std::int64_t>(zone_days / kWindowDays, 1);
        for (std::int64_t i = 0; i < windows; ++i) {
            const auto index = static_cast<std::size_t>(i);
            if (index < changes.size()) {
                ++tally_.changes;
                window(changes[index] - kDay);
            } else {
                window(kFirst + static_cast<std::int64_t>(test::below(random_, kLast - kFirst)));
            }
        }
    }

    const Tally& tally() const { return tally_; }

private:
    void window(std::int64_t begin) {
        const auto end = begin + kWindowDays * kDay;
        // A day more on both sides, for what a change there does to the window.
        const auto runs = libc_.runs(begin - kDay, end + kDay);
        for (int i = 0; i < kPatterns; ++i)
            compare(random_cron(random_), random_rule(random_), runs, begin, end);
        tally_.zone_days += kWindowDays;
    }

    void compare(const std::string& text, ClockRule rule, const std::vector<Run>& runs,
                 std::int64_t begin, std::int64_t end) {
        const TextPattern pattern{text};
        ++tally_.patterns;
        const auto ours = Schedule::parse(text, zone_, planted(rule, plant_));
        if (!ours) {
            ++tally_.impossible;
            if (!never_matches(pattern)) differ(text, rule, begin, ours.error().message);
            return;
        }
        const auto all = fire(pattern, rule, runs);
        const std::vector<std::int64_t> expected{all.upper_bound(begin), all.upper_bound(end)};
        std::vector<std::int64_t> found;
        for (const auto& firing : ours->firings(utc(begin), utc(end), expected.size() + 10))
            found.push_back(firing.at.time_since_epoch().count());
        tally_.firings += static_cast<std::int64_t>(expected.size());
        if (found != expected) {
            differ(text, rule, begin, first_difference(expected, found));
            return;
        }
        // next() from anywhere gives what the chain of firings gives.
        const auto after =
            begin + static_cast<std::int64_t>(test::below(random_, kWindowDays * kDay));
        const auto wanted = std::ranges::upper_bound(expected, after);
        const auto next = ours->next(utc(after));
        const bool same = wanted == expected.end() ? !next || next->at > utc(end)
                                                   : next && next->at == utc(*wanted);
        if (!same) differ(text, rule, after, "next() disagrees with firings()");
    }

    static std::string first_difference(const std::vector<std::int64_t>& expected,
                                        const std::vector<std::int64_t>& found) {
        const auto [e, f] = std::ranges::mismatch(expected, found);
        const auto shown = [](auto at, auto end) {
            return at == end ? std::string{"nothing"} : std::to_string(*at);
        };
        return "expected " + shown(e, expected.end()) + ", found " + shown(f, found.end());
    }

    void differ(const std::string& text, ClockRule rule, std::int64_t after,
                const std::string& what) {
        if (++tally_.differences > 5) return;
        std::ostringstream line;
        line << "DIFFERENCE '" << text << "' in " << name_ << " after " << after << " (gap "
             << to_string(rule.gap) << ", overlap " << to_string(rule.overlap) << "): " << what
             << '\n';
        std::cout << line.str() << std::flush;
    }

    std::string name_;
    Plant plant_;
    std::mt19937_64 random_;
    LibcZone libc_;
    ZonePtr zone_;
    Tally tally_;
};

// Every `of`-th zone, beginning with `part`.
Tally look_at_part(const std::vector<std::string>& names, std::size_t part, std::size_t of,
                   std::uint64_t seed, const Options& options) {
    Tally tally;
    const auto count = static_cast<std::int64_t>(names.size());
    for (std::size_t i = part; i < names.size(); i += of) {
        Comparer comparer{names[i], seed + i, options.plant};
        comparer.look_at((options.zone_days + count - 1) / count + kWindowDays - 1);
        tally.add(comparer.tally());
    }
    return tally;
}

// One process each, since TZ belongs to a process.
Tally look_at_all(const std::vector<std::string>& names, std::uint64_t seed,
                  const Options& options) {
    const std::size_t parts = std::max(1u, std::thread::hardware_concurrency());
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error{"cannot make a pipe"};
    for (std::size_t part = 0; part < parts; ++part) {
        const auto pid = ::fork();
        if (pid < 0) throw std::runtime_error{"cannot fork"};
        if (pid > 0) continue;
        const Tally tally = look_at_part(names, part, parts, seed, options);
        const bool told = ::write(ends[1], &tally, sizeof tally) == sizeof tally;
        ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    Tally all;
    for (std::size_t part = 0; part < parts; ++part) {
        int status = 0;
        if (::wait(&status) < 0 || status != 0) throw std::runtime_error{"a process has failed"};
        Tally tally;
        if (::read(ends[0], &tally, sizeof tally) != sizeof tally)
            throw std::runtime_error{"a process told nothing"};
        all.add(tally);
    }
    ::close(ends[0]);
    return all;
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i], value = argv[i + 1];
        if (name == "--zone-days")
            options.zone_days = std::stoll(argv[i + 1]);
        else if (name == "--plant" && value == "gap")
            options.plant = Plant::gap;
        else if (name == "--plant" && value == "overlap")
            options.plant = Plant::overlap;
        else
            throw std::runtime_error{"usage: cron_oracle [--zone-days N] [--plant gap|overlap]"};
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) try {
    const Options options = parse(argc, argv);
    const auto names = zone_names();
    if (names.empty()) {
        std::cout << "SKIPPED: there is no zone data here; install the package tzdata\n";
        return 77;
    }
    auto random = test::seeded_random("cron oracle");
    const Tally all = look_at_all(names, random(), options);
    std::cout << "zones: " << all.zones << "\nzone-days: " << all.zone_days
              << "\nclock changes: " << all.changes << "\npatterns: " << all.patterns
              << ", of them " << all.impossible
              << " refused as impossible\nfirings: " << all.firings
              << "\ndifferences: " << all.differences << std::endl;
    return all.differences == 0 ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << "cron_oracle: " << error.what() << '\n';
    return 2;
}
