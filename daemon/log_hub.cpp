#include "daemon/log_hub.h"

#include <iterator>
#include <utility>

namespace berth {
namespace {

constexpr std::int64_t kFollowedPage = 64;  // chunks; at most 4 MiB are in memory at once

LogStore::Range range_of(const Run& run, std::uint64_t after, Time now) {
    LogStore::Range range;
    range.run = run.id;
    range.from = run.created;
    range.to = run.completed.value_or(now);
    range.after = after;
    return range;
}

}  // namespace

struct LogHub::Follow {
    std::shared_ptr<LogFollower> follower;
    LogStore::Range range;      // what is to be read next
    std::uint64_t last = 0;     // the last piece it was given
    std::deque<LogChunk> page;  // read, not given yet
    std::deque<LogChunk> came;  // was printed meanwhile
    std::optional<RunView> ended;
    bool reading = false;
    bool all_read = false;
    bool live = false;  // it has all there was: what comes is given at once

    void give(const LogChunk& chunk) {
        if (chunk.seq <= last || !follower) return;
        last = chunk.seq;
        follower->chunk(chunk);
    }
};

FollowHandle LogHub::watch(RunId run, std::uint64_t after, std::shared_ptr<LogFollower> follower) {
    // Those that have left are forgotten here: of a run that has ended, nobody else would.
    std::erase_if(follows_, [](const auto& entry) { return entry.second.expired(); });
    auto follow = std::make_shared<Follow>();
    follow->follower = std::move(follower);
    follow->last = after;
    if (const auto found = unstored_.find(run); found != unstored_.end())
        follow->came.assign(found->second.begin(), found->second.end());
    follows_.emplace(run, follow);
    return follow;
}

void LogHub::begin(const FollowHandle& handle, const RunView& view, Time now) {
    const auto follow = std::static_pointer_cast<Follow>(handle);
    if (!follow->follower) return;
    // It had ended before we looked: all it printed is stored, nobody will call end().
    if (is_final(view.run.state)) follow->ended = view;
    follow->range = range_of(view.run, follow->last, now);
    follow->range.limit = kFollowedPage;
    // Weak: a follower that has left ends its reading.
    follow->follower->on_room([this, weak = std::weak_ptr{follow}] {
        if (const auto waiting = weak.lock()) pump(waiting);
    });
    pump(follow);
}

// Gives what there is, as fast as it is taken; then reads on; then catches up.
void LogHub::pump(const std::shared_ptr<Follow>& follow) {
    if (follow->reading || follow->live) return;
    for (;;) {
        for (; !follow->page.empty(); follow->page.pop_front()) {
            if (!follow->follower || !follow->follower->has_room()) return;
            follow->give(follow->page.front());
        }
        if (!follow->all_read) return read_on(*follow, follow);
        if (follow->came.empty()) break;
        follow->page.swap(follow->came);
    }
    follow->live = true;
    end_if_ended(*follow);
}

void LogHub::read_on(Follow& follow, const std::weak_ptr<Follow>& weak) {
    follow.reading = true;
    logs_.read(follow.range, [this, weak](Result<std::vector<LogChunk>> page) {
        const auto reading = weak.lock();
        if (!reading) return;
        reading->reading = false;
        // Without this page there would be a gap that nobody could see.
        if (!page && reading->follower)
            return std::exchange(reading->follower, {})->broken(page.error());
        if (!page) return;
        reading->all_read = static_cast<std::int64_t>(page->size()) < reading->range.limit;
        if (!page->empty()) reading->range.after = page->back().seq;
        reading->page.assign(std::make_move_iterator(page->begin()),
                             std::make_move_iterator(page->end()));
        pump(reading);
    });
}

void LogHub::end_if_ended(Follow& follow) {
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
            follow->came.push_back(chunk);
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
        if (follow->live) end_if_ended(*follow);
    }
}

void LogHub::read(const Run& run, std::uint64_t after, Time now,
                  std::function<void(std::vector<LogChunk>)> more, Done<void> done) {
    read_page(range_of(run, after, now), std::move(more), std::move(done));
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
