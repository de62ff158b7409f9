// Files: read whole, write atomically, open beneath a directory. Blocking: on a
// worker thread, or at start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace berth {

// Reads up to `limit` bytes; over_limit when there is more, not_found when
// there is no such file. Other trouble throws SystemError.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit);

// Writes a temporary beside `path`, syncs it, renames it over `path` and syncs
// the directory: after a crash there is the old file or the new one. Throws.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes,
                           unsigned mode);

// Opens `relative` beneath the directory `dir_fd`; no component may be a link or
// lead out of it (openat2(2), RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS). Throws.
Fd open_beneath(int dir_fd, const std::filesystem::path& relative, int flags, unsigned mode = 0);

// Writes all of `bytes`; throws SystemError (EPIPE, ENOSPC ...) when it cannot.
void write_all(int fd, std::string_view bytes);

// A directory that is removed with all it holds when this goes away.
class TempDir {
public:
    explicit TempDir(std::string_view name_hint);
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace berth
