#include "store/reserve.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/log.h"
#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kBetweenTries = 250ms;
constexpr std::uint64_t kShare = 16;  // of a small disk

}  // namespace

Reserve::Reserve(std::filesystem::path dir, const Clock& clock)
    : path_{std::move(dir) / "reserve"}, clock_{clock} {
    const bool made = state_.with([this](State& state) { return make(state); });
    if (!made)
        log_warning("the store's disk is full, so nothing new is accepted",
                    {{"cure", "make room"}, {"where", path_.parent_path().string()}});
}

void Reserve::release() {
    const bool first = state_.with([this](State& state) {
        if (state.released) return false;
        state = {};
        ::unlink(path_.c_str());
        return true;
    });
    if (first)
        log_error("the store's disk is full: what was begun is ended, nothing new is accepted",
                  {{"cure", "make room"}, {"where", path_.parent_path().string()}});
}

bool Reserve::released() const {
    return state_.with([](const State& state) { return state.released; });
}

bool Reserve::remake() {
    const auto [there, again] = state_.with([this](State& state) {
        if (!state.released) return std::pair{true, false};
        if (state.tried && clock_.steady() - *state.tried < kBetweenTries)
            return std::pair{false, false};
        return std::pair{make(state), true};
    });
    if (there && again)
        log_info("there is room on the store's disk again, going on",
                 {{"where", path_.parent_path().string()}});
    return there;
}

bool Reserve::make(State& state) {
    state.tried = clock_.steady();
    const Fd file{::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    struct statvfs disk {};
    if (!file || ::fstatvfs(file.get(), &disk) < 0) return false;
    const std::uint64_t size =
        std::min<std::uint64_t>(limits::kStoreReserveBytes, disk.f_blocks * disk.f_frsize / kShare);
    const std::uint64_t free = disk.f_bavail * disk.f_frsize;
    const auto has =
        static_cast<std::uint64_t>(std::max<off_t>(::lseek(file.get(), 0, SEEK_END), 0));
    const bool room = free + has >= size + size / 2;
    if (room && ::posix_fallocate(file.get(), 0, static_cast<off_t>(size)) == 0) {
        state.released = false;
        return true;
    }
    ::unlink(path_.c_str());
    return false;
}

}  // namespace berth
