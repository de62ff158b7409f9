// Tar -> release folder. Whoever may upload a release may write any tar, so
// nothing in it is believed: files are created beneath a directory descriptor,
// without following links, within limits. Blocking; Thread: work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/limits.h"

namespace berth {

struct UnpackLimits {
    std::size_t files = limits::kReleaseFiles;  // entries of all kinds
    std::uint64_t bytes = limits::kReleaseBytes;
};

// Unpacks into the (empty) directory `dir_fd`: directories 0755, files 0644 or
// 0755, links that stay inside. Anything else in the tar (hard links, devices,
// fifos, absolute paths, `..`, a path that comes twice) refuses all of it. Takes
// pax, GNU and ustar, plain or compressed with gzip or zstd.
Result<void> unpack(int tar_fd, int dir_fd, const UnpackLimits& limits = {});
Result<void> unpack(std::string_view tar, int dir_fd, const UnpackLimits& limits = {});

// SHA-256 as hex over sorted paths, kinds, exec bits and contents: same content,
// same hash, whatever the times, the owners and the order in the tar were.
std::string content_hash(const std::filesystem::path& dir);

struct StoredRelease {
    std::string hash;
    std::filesystem::path dir;  // releases_dir/hash, read-only, on disk
};

// Unpacks beside its place, syncs, renames to `releases_dir/<hash>`. The same
// content again is the same release. A crash leaves only `.new-*`, which
// remove_unfinished_releases() clears at start.
Result<StoredRelease> store_release(int tar_fd, const std::filesystem::path& releases_dir,
                                    const UnpackLimits& limits = {});
Result<StoredRelease> store_release(std::string_view tar, const std::filesystem::path& releases_dir,
                                    const UnpackLimits& limits = {});
void remove_unfinished_releases(const std::filesystem::path& releases_dir);
// Whole or not at all, as far as anybody looks. Nobody may be about to start it.
void remove_release(const std::filesystem::path& releases_dir, const std::string& hash);

}  // namespace berth
