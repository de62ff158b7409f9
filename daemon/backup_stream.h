// Backups for whoever asks by the control socket: one tar, made while Berth runs, that goes
// to the client as it is read. It is the client's own file from its first byte on; what lies
// in the store's folder meanwhile is berthd's, and goes with it.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>

#include "base/loop/loop.h"
#include "base/loop/worker.h"
#include "control/api.h"
#include "daemon/config.h"

namespace berth {

// Thread: loop.
class Backups {
public:
    Backups(Loop& loop, const Config& config) : loop_{loop}, config_{config} {}

    // busy: one is being made; over_limit: the store's disk has no room for the copies of
    // its databases.
    void make(Done<std::unique_ptr<ByteSource>> done);

private:
    Loop& loop_;
    const Config& config_;
    std::shared_ptr<std::atomic<bool>> making_ = std::make_shared<std::atomic<bool>>(false);
    Worker work_{"backup"};
};

// What a berthd left that was killed while it made one.
void remove_unfinished_backups(const std::filesystem::path& store_dir);

}  // namespace berth
