// Directory -> tar, for whoever hands a folder to Berth. The same folder gives the
// same bytes: entries are sorted and carry no times, owners or odd modes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/error.h"

namespace berth {

enum class Git { left_out, kept };

// Writes `dir` as a pax tar to `out_fd` and returns the number of bytes. Leaves out
// `.git` unless it is to be kept; refuses sockets, devices, fifos and links that lead out of `dir`.
// Throws SystemError when it cannot read or write.
Result<std::uint64_t> pack_directory(const std::filesystem::path& dir, int out_fd,
                                     Git git = Git::left_out);

// True when a symbolic link at `path` (relative to the root) with this target can
// only lead to something below the root. `..` may stand only at its beginning:
// after a name it would mean whatever that name links to.
bool link_stays_inside(std::string_view path, std::string_view target);

}  // namespace berth
