// Reads the store's files now and then, a stretch at a time, so that a page that the
// disk has changed is known before somebody needs it. What it finds the store tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/worker.h"
#include "store/store.h"

namespace berth {

// Where reading goes on.
struct ScrubPlace {
    std::filesystem::path file{};  // empty: the first
    std::uint32_t page = 1;
};
// Reads up to `most` pages of the databases in `dir` and its logs, from `at` on and
// round and round; what is damaged, in words. Blocking.
std::vector<std::string> scrub(const std::filesystem::path& dir, ScrubPlace& at,
                               std::uint32_t most);

// Thread: loop.
class Scrub {
public:
    // `store` is told; the reading is done by `work`.
    Scrub(std::filesystem::path dir, Worker& work, Store& store)
        : dir_{std::move(dir)}, work_{work}, store_{store} {}
    void look();

private:
    const std::filesystem::path dir_;
    Worker& work_;
    Store& store_;
    std::shared_ptr<ScrubPlace> at_ = std::make_shared<ScrubPlace>();  // Thread: work_
};

}  // namespace berth
