// Every file that this process, or one it starts, writes or has written, wherever it is: read
// whole at each change through a descriptor that the kernel hands out (fanotify(7)), so also one
// that has no name any more. What is overwritten before it could be read is not seen.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "base/fd.h"

namespace berth::test {

class FileWatch {
public:
    // How many hits a file's content has; called on a thread of the watch.
    using Search = std::function<std::size_t(std::string_view)>;

    // Moves this process into a mount namespace of its own, whose mounts nobody else writes
    // through: to be made before any thread and any daemon.
    explicit FileWatch(Search search);
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;
    ~FileWatch() { finish(); }

    struct Seen {
        std::size_t changes = 0;
        std::set<std::string> files;
        std::uint64_t bytes = 0;
        std::size_t hits = 0;
        std::string where;
    };
    // After all that has been written by now was looked at; nothing more is.
    const Seen& finish();

private:
    void watch();
    bool take_all();
    void look_at(const Fd& file);

    Search search_;
    Fd events_;
    std::atomic<bool> last_{false};
    Seen seen_;
    std::thread thread_;
};

}  // namespace berth::test
