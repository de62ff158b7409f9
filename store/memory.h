// What the databases of this process have in memory.
#pragma once

#include <cstdint>

namespace berth {

// Of all connections, mostly pages that are kept: at most 2 MB of each (SQLite's
// `cache_size`). Thread: any.
std::uint64_t database_memory() noexcept;

}  // namespace berth
