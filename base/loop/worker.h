#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/loop/loop.h"

namespace berth {

// One thread and its queue. The store's readers and the work thread (file trees,
// hashing, archives) are two of them.
class Worker {
public:
    explicit Worker(std::string name);  // shown by top -H; at most 15 bytes
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker();  // runs what is queued, then joins

    // Runs `task` on the thread, in order. Thread: any.
    void run(std::function<void()> task);

private:
    void serve(const std::string& name);

    // A bare mutex, where Guarded cannot serve: the condition variable needs it.
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    bool closing_ = false;
    std::thread thread_;
};

}  // namespace berth
