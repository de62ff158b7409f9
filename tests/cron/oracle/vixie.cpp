#include "tests/cron/oracle/vixie.h"

namespace berth::oracle {
namespace {

constexpr std::int64_t kThreeHours = 3 * 3600;

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
    const auto rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

class Loop {
public:
    Loop(const TextPattern& pattern, ClockRule rule) : pattern_{pattern}, rule_{rule} {}

    void run(const Run& now, const Run* before) {
        std::int64_t caught_up = INT64_MIN;  // local; fixed times before it have had their turn
        if (before != nullptr) caught_up = clocks_changed(*before, now);

        // Local minutes begin at whole minutes of local time, whatever UTC says.
        const auto first = -floor_to(-(now.begin + now.offset), 60);
        for (auto local = first; local - now.offset < now.end; local += 60) {
            if (!matches(local)) continue;
            const bool turn =
                pattern_.wildcard() || local >= caught_up || rule_.overlap != OverlapRule::first;
            if (turn) fired_.insert(local - now.offset);
        }
    }

    std::set<std::int64_t> take() { return std::move(fired_); }

private:
    // Returns until when the clocks repeat themselves.
    std::int64_t clocks_changed(const Run& before, const Run& now) {
        const auto virtual_time = now.begin + before.offset;
        const auto clock = now.begin + now.offset;
        const auto ahead = clock - virtual_time;
        if (pattern_.wildcard() || ahead > kThreeHours || ahead < -kThreeHours) return INT64_MIN;
        if (ahead < 0) {
            if (rule_.overlap == OverlapRule::second) forget_since(now.begin + ahead);
            return virtual_time;
        }
        // The clock is ahead: run what it has jumped over.
        for (auto local = -floor_to(-virtual_time, 60); local < clock; local += 60) {
            if (!matches(local)) continue;
            if (rule_.gap == GapRule::at_end) fired_.insert(now.begin);
            if (rule_.gap == GapRule::shifted) fired_.insert(local - before.offset);
        }
        return INT64_MIN;
    }

    void forget_since(std::int64_t t) { fired_.erase(fired_.lower_bound(t), fired_.end()); }

    bool matches(std::int64_t local) {
        const auto midnight = floor_to(local, 86'400);
        if (midnight != midnight_) {
            midnight_ = midnight;
            day_matches_ = pattern_.day_matches(Date::of(midnight / 86'400));
        }
        return day_matches_ && pattern_.minute_matches((local - midnight) / 60);
    }

    const TextPattern& pattern_;
    ClockRule rule_;
    std::set<std::int64_t> fired_;
    std::int64_t midnight_ = INT64_MIN;
    bool day_matches_ = false;
};

}  // namespace

std::set<std::int64_t> fire(const TextPattern& pattern, ClockRule rule,
                            const std::vector<Run>& runs) {
    Loop loop{pattern, rule};
    for (std::size_t i = 0; i < runs.size(); ++i)
        loop.run(runs[i], i == 0 ? nullptr : &runs[i - 1]);
    return loop.take();
}

}  // namespace berth::oracle
