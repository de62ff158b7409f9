// One daemon per store: a lock on `berth.lock` that the kernel lets go of when
// its holder dies, however it dies.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/fd.h"

namespace berth {

// Held as long as the descriptor is. conflict, naming the holder's process id,
// when another process has it. Throws SystemError.
Result<Fd> lock_dir(const std::filesystem::path& dir);

}  // namespace berth
