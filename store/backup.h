// A copy of a database that may be in use: one instant of it, complete, with a sum on
// every page. Nobody who writes waits for it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"

namespace berth {

struct CopiedDatabase {
    std::uint64_t pages = 0;
    std::uint64_t bytes = 0;
};

// `to` must not be there. The copy is read once more before this returns: conflict when
// `to` is there; invalid when `from` is no database, or the copy is damaged. Throws
// StoreError and SystemError. Blocking.
Result<CopiedDatabase> copy_database(const std::filesystem::path& from,
                                     const std::filesystem::path& to);

}  // namespace berth
