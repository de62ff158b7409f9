#include "daemon/log_hub.h"

#include <utility>

namespace berth {

struct LogHub::Follow {
    std::shared_ptr<LogFollower> follower;
    std::uint64_t last = 0;         // the last piece it was given
    bool live = false;              // what is stored has been read
    std::vector<LogChunk> waiting;  // came meanwhile
    std::optional<RunView> ended;   // came meanwhile

    void give(const LogChunk& chunk) {
        if (chunk.seq <= last || !follower) return;
        last = chunk.seq;
        follower->chunk(chunk);
    }
};

FollowHandle LogHub::watch(RunId run, std::uint64_t after, std::shared_ptr<LogFollower> follower) {
    auto follow = std::make_shared<Follow>();
    follow->follower = std::move(follower);
    follow->last = after;
    if (const auto found = unstored_.find(run); found != unstored_.end())
        follow->waiting.assign(found->second.begin(), found->second.end());
    follows_.emplace(run, follow);
    return follow;
}

void LogHub::begin(const FollowHandle& handle, const RunView& view, Time now) {
    // Weak: a follower that has left ends its reading.
    const std::weak_ptr<Follow> weak = std::static_pointer_cast<Follow>(handle);
    const auto follow = weak.lock();
    // It had ended before we looked: all it printed is stored, nobody will call end().
    if (is_final(view.run.state)) follow->ended = view;
    read(
        view.run, follow->last, now,
        [weak](std::vector<LogChunk> page) {
            if (const auto reading = weak.lock())
                for (const LogChunk& chunk : page)
                    reading->give(chunk);
        },
        [weak](Result<void>) {
            if (const auto reading = weak.lock()) catch_up(*reading);
        });
}

void LogHub::catch_up(Follow& follow) {
    follow.live = true;
    for (const LogChunk& chunk : std::exchange(follow.waiting, {}))
        follow.give(chunk);
    if (follow.ended && follow.follower) std::exchange(follow.follower, {})->end(*follow.ended);
}

void LogHub::publish(const LogChunk& chunk) {
    unstored_[chunk.run_id].push_back(chunk);
    const auto [first, last] = follows_.equal_range(chunk.run_id);
    for (auto it = first; it != last;) {
        const auto follow = it->second.lock();
        if (!follow) {
            it = follows_.erase(it);
            continue;
        }
        if (follow->live)
            follow->give(chunk);
        else
            follow->waiting.push_back(chunk);
        ++it;
    }
}

void LogHub::stored(RunId run, std::uint64_t up_to) {
    const auto found = unstored_.find(run);
    if (found == unstored_.end()) return;
    std::erase_if(found->second, [up_to](const LogChunk& chunk) { return chunk.seq <= up_to; });
    if (found->second.empty()) unstored_.erase(found);
}

void LogHub::end(const RunView& run) {
    unstored_.erase(run.run.id);
    const auto [first, last] = follows_.equal_range(run.run.id);
    for (auto it = first; it != last; it = follows_.erase(it)) {
        const auto follow = it->second.lock();
        if (!follow) continue;
        follow->ended = run;
        if (follow->live) catch_up(*follow);
    }
}

void LogHub::read(const Run& run, std::uint64_t after, Time now,
                  std::function<void(std::vector<LogChunk>)> more, Done<void> done) {
    LogStore::Range range;
    range.run = run.id;
    range.from = run.created;
    range.to = run.completed.value_or(now);
    range.after = after;
    read_page(range, std::move(more), std::move(done));
}

void LogHub::read_page(LogStore::Range range, std::function<void(std::vector<LogChunk>)> more,
                       Done<void> done) {
    logs_.read(range, [this, range, more = std::move(more),
                       done = std::move(done)](Result<std::vector<LogChunk>> page) mutable {
        if (!page) return done(pass_on(page));
        const bool last = static_cast<std::int64_t>(page->size()) < range.limit;
        if (!page->empty()) range.after = page->back().seq;
        more(std::move(*page));
        if (last) return done({});
        read_page(range, std::move(more), std::move(done));
    });
}

}  // namespace berth
