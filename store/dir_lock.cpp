#include "store/dir_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace berth {

Result<Fd> lock_dir(const std::filesystem::path& dir) {
    const auto path = dir / "berth.lock";
    Fd fd{check(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600),
                "opening '{}'", path.string())};
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) check(-1, "locking '{}'", path.string());
        char text[32];
        const ssize_t n = ::pread(fd.get(), text, sizeof text, 0);
        const auto pid =
            to_number<int>(trim({text, n > 0 ? static_cast<std::size_t>(n) : std::size_t{0}}));
        return fail_at(FailureKind::conflict, dir.string(),
                       "the store in '{}' is in use by {}; stop that berthd first, or name another "
                       "directory",
                       dir.string(),
                       pid ? fmt::format("process {}", *pid) : std::string{"another process"});
    }
    // For people and the message above; what holds the store is the lock.
    check(::ftruncate(fd.get(), 0), "emptying '{}'", path.string());
    write_all(fd.get(), fmt::format("{}\n", ::getpid()));
    return fd;
}

}  // namespace berth
