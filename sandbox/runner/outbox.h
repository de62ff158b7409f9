// What the runs have said and berthd does not have on its disk yet: told again to a
// berthd that was started again, so that no byte depends on one living process. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "sandbox/ipc/messages.h"
#include "sandbox/runner/run_key.h"

namespace berth::runner {

class Outbox {
public:
    // From now on what this run says is kept.
    void open(RunKey run) { runs_[run]; }
    // False when the run is not open: it was given up, and nobody wants to hear of it.
    bool add(const ipc::Started& started);
    bool add(const ipc::Output& output);
    bool add(const ipc::Connection& connection);
    bool add(const ipc::Ended& ended);

    // berthd has this much of a run on its disk.
    void stored(const ipc::Stored& stored);
    // Nothing more is to be kept of it: its end is on record, or it was given up.
    void close(RunKey run);

    std::vector<RunKey> runs() const;
    // Of the output that is kept.
    std::size_t bytes() const noexcept { return bytes_; }
    std::size_t bytes(RunKey run) const;

    // All that is kept, each run in the order it was said.
    template <typename Send>
    void repeat(Send send) const {
        for (const auto& [key, said] : runs_)
            repeat(said, send);
    }
    template <typename Send>
    void repeat(RunKey run, Send send) const {
        if (const auto found = runs_.find(run); found != runs_.end()) repeat(found->second, send);
    }

private:
    struct Said {
        std::optional<ipc::Started> started;
        std::deque<ipc::Output> outputs;
        std::size_t bytes = 0;  // of the outputs
        std::deque<ipc::Connection> connections;
        std::optional<ipc::Ended> ended;
    };
    template <typename Send>
    static void repeat(const Said& said, Send& send) {
        if (said.started) send(*said.started);
        for (const ipc::Output& output : said.outputs)
            send(output);
        for (const ipc::Connection& connection : said.connections)
            send(connection);
        if (said.ended) send(*said.ended);
    }
    Said* find(std::int64_t run_id, std::int32_t attempt);

    std::map<RunKey, Said> runs_;
    std::size_t bytes_ = 0;
};

}  // namespace berth::runner
