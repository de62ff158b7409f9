// What a Zone answers; tzif.cpp reads it from a file, zones.cpp finds the file.
#include "model/zone.h"

#include <algorithm>
#include <array>

namespace berth {
namespace {

// The years that rules are asked about; calendar arithmetic ends soon after.
constexpr std::int64_t kYearSeconds = 31'556'952;  // on average
constexpr std::int64_t kMostSeconds = 25'000 * kYearSeconds;
constexpr auto kSearch = std::chrono::seconds{40 * kYearSeconds};

std::int64_t seconds_of(UtcSeconds t) { return t.time_since_epoch().count(); }
UtcSeconds utc(std::int64_t t) { return UtcSeconds{std::chrono::seconds{t}}; }

int year_of(std::int64_t t) {
    using namespace std::chrono;
    t = std::clamp(t, -kMostSeconds, kMostSeconds);
    return int{year_month_day{floor<days>(utc(t))}.year()};
}

struct RuleSpan {
    std::int64_t begin, end;
    bool summer;
};

// The changes of three years hold the one before `t` and the one after it. They
// are sorted since a rule may name hours of another day, even of another year.
RuleSpan rule_span_at(const ZoneRule& rule, std::int64_t t) {
    RuleSpan found{seconds_of(UtcSeconds::min()), seconds_of(UtcSeconds::max()), false};
    if (!rule.summer) return found;
    const int year = year_of(t);
    std::array<ZoneRule::Change, 6> changes;
    for (std::size_t i = 0; i < 3; ++i)
        std::ranges::copy(rule.changes_in(year - 1 + static_cast<int>(i)), &changes[i * 2]);
    std::ranges::stable_sort(changes, {}, &ZoneRule::Change::at);
    for (const auto& change : changes) {
        if (change.at > t) {
            found.end = change.at;
            break;
        }
        found.begin = change.at;
        found.summer = change.to_summer;
    }
    return found;
}

}  // namespace

const Zone& Zone::utc() {
    static const Zone kUtc = [] {
        Zone zone;
        zone.name_ = "UTC";
        zone.abbreviations_ = std::string{"UTC"} + '\0';
        zone.kinds_ = {Kind{}};
        return zone;
    }();
    return kUtc;
}

ZoneSpan Zone::span(const Kind& kind, std::int64_t begin, std::int64_t end) const {
    return {berth::utc(begin), berth::utc(end), std::chrono::seconds{kind.offset}, kind.summer,
            abbreviations_.data() + kind.abbreviation};
}

ZoneSpan Zone::span_at(UtcSeconds t) const {
    const auto at = seconds_of(t);
    const auto above = std::ranges::upper_bound(times_, at);
    const bool at_tail = above == times_.end();
    const auto begin = above == times_.begin() ? seconds_of(UtcSeconds::min()) : *(above - 1);
    if (at_tail && rule_) {
        const auto found = rule_span_at(*rule_, at);
        const ZoneRule::Side& side =
            found.summer ? static_cast<const ZoneRule::Side&>(*rule_->summer) : rule_->standard;
        return {berth::utc(std::max(begin, found.begin)), berth::utc(found.end),
                std::chrono::seconds{side.offset}, found.summer, side.abbreviation};
    }
    const auto index = static_cast<std::size_t>(above - times_.begin());
    const Kind& kind = index == 0 ? kinds_.front() : kinds_[after_[index - 1]];
    return span(kind, begin, at_tail ? seconds_of(UtcSeconds::max()) : *above);
}

std::optional<UtcSeconds> Zone::next_change(UtcSeconds t) const {
    const auto last = t < UtcSeconds::max() - kSearch ? t + kSearch : UtcSeconds::max();
    ZoneSpan at = span_at(t);
    while (at.end < last) {
        const ZoneSpan next = span_at(at.end);
        if (next.offset != at.offset) return at.end;
        at = next;
    }
    return {};
}

}  // namespace berth
