#include "scheduler/settle.h"

#include <algorithm>
#include <iterator>

namespace berth {
namespace {

using std::chrono::microseconds;
using namespace std::chrono_literals;

UtcSeconds whole(Time t) { return std::chrono::floor<std::chrono::seconds>(t); }

// The newest firings in (after, until], at most kSlotsAtOnce; `after` moves to
// where they begin when there are more.
std::vector<Time> newest(const Schedule& schedule, Time& after, Time until) {
    for (;;) {
        const auto found = schedule.firings(whole(after), whole(until), kSlotsAtOnce + 1);
        if (found.size() <= kSlotsAtOnce) {
            std::vector<Time> times;
            for (const Firing& firing : found)
                times.emplace_back(firing.at);
            return times;
        }
        after += std::max<microseconds>((until - after) / 2, 1s);
    }
}

Slot skipped(Time nominal, SlotReason reason) {
    Slot slot;
    slot.nominal = slot.last = nominal;
    slot.reason = reason;
    return slot;
}

class Settling {
public:
    Settling(const Schedule& schedule, const ScheduleSettings& settings, const Due& due, Time now)
        : schedule_{schedule}, settings_{settings}, due_{due}, now_{now} {
        out_.settled = std::max(due.settled, due.forgotten);
        out_.paused_since = due.paused_since;
    }

    Settled run() {
        const Time from = out_.settled;
        const std::vector<Time> instants = due_instants();
        if (due_.paused)
            pass(instants);
        else
            fire(instants);
        leave_out_for_clocks(from);
        std::ranges::sort(out_.slots, {}, &Slot::nominal);
        arm();
        return std::move(out_);
    }

private:
    Time until() const { return now_ - due_.jitter; }

    // Those that have come. What is far in the past shares one slot.
    std::vector<Time> due_instants() {
        if (out_.settled >= until()) return {};
        Time after = out_.settled;
        auto first = schedule_.next(whole(after));
        std::vector<Time> found = newest(schedule_, after, until());
        if (first && after > out_.settled && (found.empty() || Time{first->at} < found.front())) {
            const auto reason = due_.paused ? SlotReason::pause : SlotReason::downtime;
            out_.slots.push_back(skipped(first->at, reason));
            // Between two seconds: no instant that fires after all takes its place.
            Slot others = skipped(Time{first->at} + microseconds{1}, reason);
            others.last = whole(after);
            others.instants = 0;
            out_.slots.push_back(others);
        }
        if (!found.empty()) out_.settled = found.back();
        return found;
    }

    void pass(const std::vector<Time>& instants) {
        if (!instants.empty() && !out_.paused_since)
            out_.paused_since = instants.front() - microseconds{1};
        for (const Time nominal : instants)
            out_.slots.push_back(skipped(nominal, SlotReason::pause));
    }

    void fire(const std::vector<Time>& instants) {
        std::vector<Time> missed = let_pass();
        const std::size_t paused = missed.size();
        const auto on_time = std::ranges::find_if(
            instants, [&](Time nominal) { return now_ - (nominal + due_.jitter) <= kLateAtMost; });
        missed.insert(missed.end(), instants.begin(), on_time);
        const std::size_t first = first_made_up(missed, on_time != instants.end());
        for (std::size_t i = 0; i < missed.size(); ++i) {
            if (i >= first)
                fire_one(missed[i], i < paused);
            else if (i >= paused)
                out_.slots.push_back(skipped(missed[i], SlotReason::downtime));
        }
        for (auto it = on_time; it != instants.end(); ++it)
            fire_one(*it, /*made_up=*/false);
        out_.paused_since.reset();
    }

    // Those that a pause let pass, if it has ended now. A tenant that has never run
    // has missed nothing.
    std::vector<Time> let_pass() const {
        if (!due_.paused_since || !due_.fired) return {};
        Time after = std::max(*due_.paused_since, until() - settings_.window - microseconds{1});
        if (after >= due_.settled) return {};
        return newest(schedule_, after, due_.settled);
    }

    // The policy: the index of the first of `missed` that fires after all.
    std::size_t first_made_up(const std::vector<Time>& missed, bool fires_now) const {
        const auto within = static_cast<std::size_t>(
            std::distance(missed.begin(), std::ranges::find_if(missed, [&](Time nominal) {
                              return nominal + due_.jitter >= now_ - settings_.window;
                          })));
        switch (settings_.missed) {
            case MissedPolicy::skip: return missed.size();
            // What fires now serves for all that was missed.
            case MissedPolicy::one:
                if (fires_now || within == missed.size()) return missed.size();
                return missed.size() - 1;
            case MissedPolicy::all:
                return std::max(within, missed.size() - std::min(missed.size(), kFiringsAtOnce));
        }
        std::abort();
    }

    void fire_one(Time nominal, bool made_up) {
        Slot slot = skipped(nominal, SlotReason::none);
        slot.late = std::max(microseconds{0}, now_ - (nominal + due_.jitter));
        const bool busy = due_.busy || fires_;
        if (settings_.when_busy == WhenBusy::skip && busy) {
            if (made_up) return;  // its slot says pause
            slot.reason = SlotReason::overlap;
        } else {
            slot.outcome = SlotOutcome::fired;
            fires_ = true;
        }
        (made_up ? out_.made_up : out_.slots).push_back(slot);
    }

    // Times that the clocks jumped over or showed twice, by the schedule's own rule.
    void leave_out_for_clocks(Time from) {
        if (!schedule_.fixed_times() || out_.settled <= from) return;
        for (const Omission& omission :
             schedule_.omissions(whole(from), whole(out_.settled), kSlotsAtOnce)) {
            const auto reason =
                omission.reason == Omission::Reason::gap ? SlotReason::gap : SlotReason::repeated;
            if (std::ranges::none_of(out_.slots, [&](const Slot& slot) {
                    return slot.nominal == Time{omission.at};
                }))
                out_.slots.push_back(skipped(omission.at, reason));
        }
    }

    void arm() {
        const auto next = schedule_.next(whole(out_.settled));
        if (next) out_.nominal = next->at;
        out_.look_at = next ? Time{next->at} + due_.jitter : now_ + kLookAgain;
    }

    const Schedule& schedule_;
    const ScheduleSettings& settings_;
    const Due& due_;
    const Time now_;
    Settled out_;
    bool fires_ = false;
};

}  // namespace

Settled settle(const Schedule& schedule, const ScheduleSettings& settings, const Due& due,
               Time now) {
    return Settling{schedule, settings, due, now}.run();
}

Time rewound(const Due& due, Time now) {
    return std::max(std::min(due.settled, now), due.forgotten);
}

}  // namespace berth
