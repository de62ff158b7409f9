// Live followers of logs: what is stored first, then what comes, without a gap
// and without a piece twice.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "control/api.h"
#include "store/logs.h"

namespace berth {

// Thread: loop.
class LogHub {
public:
    explicit LogHub(LogStore& logs) : logs_{logs} {}

    // A piece of a live run, before it is handed to the log store.
    void publish(const LogChunk& chunk);
    // The store has confirmed all pieces of the run up to this one.
    void stored(RunId run, std::uint64_t up_to);
    // The run has ended and all it printed is stored.
    void end(const RunView& run);

    // `view` is the run as it was read after the call to watch().
    FollowHandle watch(RunId run, std::uint64_t after, std::shared_ptr<LogFollower> follower);
    void begin(const FollowHandle& handle, const RunView& view, Time now);

    // How many are known that follow or have followed, for tests.
    std::size_t followers() const { return follows_.size(); }

    // All that is stored, page by page; then done.
    void read(const Run& run, std::uint64_t after, Time now,
              std::function<void(std::vector<LogChunk>)> more, Done<void> done);

private:
    struct Follow;
    void read_page(LogStore::Range range, std::function<void(std::vector<LogChunk>)> more,
                   Done<void> done);
    void pump(const std::shared_ptr<Follow>& follow);
    void read_on(Follow& follow, const std::weak_ptr<Follow>& weak);
    static void end_if_ended(Follow& follow);

    LogStore& logs_;
    std::multimap<RunId, std::weak_ptr<Follow>> follows_;
    // Published and not stored yet: who begins to follow now would find them nowhere.
    std::map<RunId, std::deque<LogChunk>> unstored_;
};

}  // namespace berth
