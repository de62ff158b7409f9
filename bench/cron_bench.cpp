// Cron text: reading it, finding the next firing, and the longest search there is.
// Goal: at most 50 us for any text (reliability.md B7). The reference is one call of
// localtime_r, which a scheduler that walks minute by minute makes per step.
#include <fmt/format.h>

#include <ctime>
#include <random>

#include "bench/bench.h"
#include "model/limits.h"
#include "model/schedule.h"

using namespace berth;
using bench::Samples;
using bench::Steady;

namespace {

template <typename Do>
void measure(Samples& samples, Do what) {
    const auto begin = Steady::now();
    what();
    samples.add(Steady::now() - begin);
}

// Five fields of what cron text is made of; most of them are wrong.
std::string random_text(std::mt19937_64& random) {
    constexpr std::string_view kAlphabet = "0123456789*/,-?#LW";
    std::string text;
    for (int field = 0; field < 5; ++field) {
        for (auto size = 1 + random() % 6; size > 0; --size)
            text += kAlphabet[random() % kAlphabet.size()];
        text += ' ';
    }
    return text;
}

// The text that costs most: all workdays by name, and no day that is one of them.
std::string worst_text() {
    std::string days = "*/31";
    for (int day = 1; day <= 31; ++day)
        days += fmt::format(",{}W", day);
    for (int back = 1; back <= 21; ++back)
        days += fmt::format(",L-{}W", back);
    return "0 0 " + days + " * SUN#2";
}

}  // namespace

int main() {
    const char* const texts[] = {"*/15 * * * *",     "30 2 * * *",     "0 9 * * MON-FRI",
                                 "0 0 L * *",        "0 9 13 * FRI#2", "5/15 0-4,22-2 */2 ? *",
                                 "0 0 15W,LW 1,7 *", "0 0 29 2 *",     "@daily"};
    Zones zones;
    auto zone = zones.find("Europe/Berlin");
    if (!zone) {
        fmt::print("{}\n", zone.error().message);
        return 1;
    }
    const UtcSeconds now{std::chrono::seconds{1'790'000'000}};
    Samples libc, parse, parse_random, parse_worst, next, never;
    const std::string worst = worst_text();
    std::mt19937_64 random{1};
    const int count = bench::times(200'000);
    const Schedule in_gap =
        *Schedule::parse("30 2 * 3 SUNL", *zone, {GapRule::skip, OverlapRule::first});
    for (int i = 0; i < count; ++i) {
        const std::string_view text = texts[static_cast<std::size_t>(i) % std::size(texts)];
        const auto at = now + std::chrono::seconds{random() % 100'000'000};
        measure(libc, [&] {
            const std::time_t t = at.time_since_epoch().count();
            std::tm tm{};
            ::localtime_r(&t, &tm);
        });
        measure(parse, [&] { (void)parse_pattern(text, Seconds::refused); });
        const auto any = random_text(random);
        measure(parse_random, [&] { (void)parse_pattern(any, Seconds::refused); });
        measure(parse_worst, [&] { (void)parse_pattern(worst, Seconds::refused); });
        const Schedule schedule{*parse_pattern(text, Seconds::refused), *zone};
        measure(next, [&] { (void)schedule.next(at); });
        if (i % 100 == 0) measure(never, [&] { (void)in_gap.next(at); });
    }
    bench::print_head("schedules", "us");
    bench::print_line("localtime_r once", libc, libc);
    bench::print_line("read a text", parse, libc);
    bench::print_line("read a random text", parse_random, libc);
    bench::print_line("read the worst text", parse_worst, libc);
    bench::print_line("next firing", next, libc);
    bench::print_line("search of 40 years in vain", never, libc);
    fmt::print("one schedule in memory: {} bytes\n", sizeof(Schedule));
    fmt::print("the worst text has {} bytes of {}\n", worst.size(), limits::kScheduleBytes);
}
