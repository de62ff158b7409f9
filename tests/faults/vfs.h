// SQLite on a Disk: while a FaultyVfs lives, it is SQLite's default VFS, so that the
// product's own code opens its databases on it without knowing. Locks and the shared
// memory of the write-ahead log live in this process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>

#include "tests/faults/disk.h"

struct sqlite3_vfs;

namespace berth::test {

// Thread: any, as SQLite's threads come. One at a time in a process.
class FaultyVfs {
public:
    // `seed`: for the salts of write-ahead logs, so that a run can be repeated.
    explicit FaultyVfs(std::uint64_t seed);
    FaultyVfs(const FaultyVfs&) = delete;
    FaultyVfs& operator=(const FaultyVfs&) = delete;
    ~FaultyVfs();  // every database is closed by then

    // Runs `with(Disk&)` while nobody else is at the disk.
    template <typename With>
    auto with_disk(With with) {
        const std::lock_guard lock{mutex_};
        return with(disk_);
    }
    // What the next reader of this database finds is a machine that has just been
    // switched on: no index of the write-ahead log.
    void forget_memory(const std::string& name);
    // Called before each sync, outside of the lock: whoever waits in it is a slow disk.
    // Set while nothing is open.
    void on_sync(std::function<void()> call) { on_sync_ = std::move(call); }

    // What all that have one file open share.
    struct Shared;
    struct OpenFile;

private:
    struct Methods;  // the functions that SQLite calls
    std::mutex mutex_;
    Disk disk_;
    std::map<Inode*, std::weak_ptr<Shared>> shared_;
    std::mt19937_64 random_;
    std::function<void()> on_sync_;
    std::unique_ptr<sqlite3_vfs> vfs_;
    sqlite3_vfs* before_ = nullptr;
};

}  // namespace berth::test
