#include "sandbox/launcher/pool.h"

#include <algorithm>

#include "sandbox/launcher/request.h"

namespace berth::launcher {

void Pool::want(const ipc::Class& kind, const ipc::SandboxLimits& limits) {
    if (policy_.size == 0 || !may_be_parked(kind)) return;
    for (Wanted& wanted : wanted_) {
        if (!same_class(wanted.kind, kind)) continue;
        wanted.limits = limits;  // the next run's are most likely the last one's
        return;
    }
    wanted_.push_back({kind, limits});
}

void Pool::add(Parked parked) { parked_.push_back(std::move(parked)); }

std::optional<Parked> Pool::take(unsigned slot, std::uint64_t serial, std::int64_t now_ms) {
    const auto found = std::find_if(parked_.begin(), parked_.end(), [&](const Parked& one) {
        return one.slot == slot && one.serial == serial;
    });
    if (found == parked_.end()) return {};
    Parked taken = std::move(*found);
    parked_.erase(found);
    taken_ms_ = now_ms;
    return taken;
}

std::optional<std::uint64_t> Pool::died(unsigned slot) {
    const auto found = std::find_if(parked_.begin(), parked_.end(),
                                    [&](const Parked& one) { return one.slot == slot; });
    if (found == parked_.end()) return {};
    const std::uint64_t serial = found->serial;
    parked_.erase(found);
    return serial;
}

unsigned Pool::of_class(const ipc::Class& kind) const {
    return static_cast<unsigned>(std::count_if(
        parked_.begin(), parked_.end(),
        [&](const Parked& one) { return !one.retiring && same_class(one.kind, kind); }));
}

std::int64_t Pool::due_ms(const Wanted& wanted, const std::vector<ipc::Class>& building) const {
    const unsigned have = of_class(wanted.kind);
    const auto coming = static_cast<unsigned>(
        std::count_if(building.begin(), building.end(),
                      [&](const ipc::Class& one) { return same_class(one, wanted.kind); }));
    if (have + coming >= policy_.size) return -1;
    const bool low = have < policy_.size - policy_.size / 2;
    return std::max(not_before_ms_, low ? 0 : taken_ms_ + policy_.pause_ms);
}

std::optional<Pool::Wanted> Pool::missing(const std::vector<ipc::Class>& building,
                                          std::int64_t now_ms) const {
    const Wanted* most = nullptr;
    unsigned least = 0;
    for (const Wanted& wanted : wanted_) {
        const std::int64_t due = due_ms(wanted, building);
        if (due < 0 || due > now_ms) continue;
        const unsigned have = of_class(wanted.kind);
        if (most != nullptr && have >= least) continue;
        most = &wanted;
        least = have;
    }
    if (most == nullptr) return {};
    return *most;
}

std::optional<Pool::Name> Pool::retire_oldest(std::int64_t now_ms, std::int64_t older_than_ms) {
    for (Parked& one : parked_) {
        if (one.retiring) continue;
        if (now_ms - one.since_ms < older_than_ms) return {};
        one.retiring = true;
        return Name{one.slot, one.serial};
    }
    return {};
}

bool Pool::any_retiring() const {
    return std::any_of(parked_.begin(), parked_.end(),
                       [](const Parked& one) { return one.retiring; });
}

std::int64_t Pool::next_change_ms(const std::vector<ipc::Class>& building,
                                  std::int64_t now_ms) const {
    std::int64_t next = -1;
    const auto at = [&](std::int64_t when) {
        const std::int64_t later = std::max(when, now_ms);
        if (next < 0 || later < next) next = later;
    };
    for (const Wanted& wanted : wanted_)
        if (const std::int64_t due = due_ms(wanted, building); due > now_ms) at(due);
    const auto oldest = std::find_if(parked_.begin(), parked_.end(),
                                     [](const Parked& one) { return !one.retiring; });
    if (oldest != parked_.end()) at(oldest->since_ms + policy_.max_age_ms);
    return next;
}

}  // namespace berth::launcher
