#include "base/loop/worker.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace berth {

Worker::Worker(std::string name) : thread_{[this, name = std::move(name)] { serve(name); }} {}

Worker::~Worker() {
    {
        const std::lock_guard lock{mutex_};
        closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Worker::run(std::function<void()> task) {
    {
        const std::lock_guard lock{mutex_};
        queue_.push_back(std::move(task));
    }
    wake_.notify_one();
}

void Worker::serve(const std::string& name) {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals belong to the loop's thread
    for (;;) {
        std::function<void()> task;
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
            if (queue_.empty()) return;
            task = std::move(queue_.front());
            queue_.pop_front();
        }
        task();
    }
}

}  // namespace berth
