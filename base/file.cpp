#include "base/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace berth {

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd && (errno == ENOENT || errno == ENOTDIR))
        return fail_at(FailureKind::not_found, path.string(), "there is no file '{}'",
                       path.string());
    check(fd.get(), "opening '{}'", path.string());

    std::string all;
    char chunk[64 * 1024];
    for (;;) {
        const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        check(n, "reading '{}'", path.string());
        if (n == 0) return all;
        if (all.size() + static_cast<std::size_t>(n) > limit)
            return fail_at(FailureKind::over_limit, path.string(),
                           "file '{}' is larger than {} bytes", path.string(), limit);
        all.append(chunk, static_cast<std::size_t>(n));
    }
}

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        check(n, "writing {} bytes", bytes.size());
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes,
                           unsigned mode) {
    const auto temporary = path.string() + ".new";
    ::unlink(temporary.c_str());  // left by a crash: O_EXCL below would refuse it for ever
    {
        const Fd fd{check(
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode),
            "creating '{}'", temporary)};
        check(::fchmod(fd.get(), mode), "setting the mode of '{}'", temporary);
        write_all(fd.get(), bytes);
        check(::fsync(fd.get()), "syncing '{}'", temporary);
    }
    check(::rename(temporary.c_str(), path.c_str()), "renaming '{}' to '{}'", temporary,
          path.string());
    const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
    const Fd dir{check(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "opening '{}'",
                       parent.string())};
    check(::fsync(dir.get()), "syncing '{}'", parent.string());
}

Fd open_beneath(int dir_fd, const std::filesystem::path& relative, int flags, unsigned mode) {
    open_how how{};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return Fd{
        static_cast<int>(check(::syscall(SYS_openat2, dir_fd, relative.c_str(), &how, sizeof how),
                               "opening '{}' beneath its directory", relative.string()))};
}

TempDir::TempDir(std::string_view name_hint) {
    auto pattern =
        (std::filesystem::temp_directory_path() / fmt::format("{}-XXXXXX", name_hint)).string();
    if (::mkdtemp(pattern.data()) == nullptr)
        throw SystemError{errno, fmt::format("making temporary directory '{}'", pattern)};
    path_ = pattern;
}

TempDir::~TempDir() {
    std::error_code ignored;  // a destructor has nobody to tell
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace berth
