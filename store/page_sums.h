// A checksum on every page of a database file: what has changed on the disk behind
// our back is refused when it is read, before anybody believes it. SQLite leaves 8
// bytes at the end of each page (new databases are made so); a VFS of ours, over the
// one that is SQLite's default at the moment, fills them in when a page is written to
// the file and looks at them when it is read. The write-ahead log has sums of its own.
//
// A page whose 8 bytes are 0 is not looked at: another program has copied it there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

// To be left free in each page of a new database.
inline constexpr int kPageSumBytes = 8;
// What SQLite answers when a page is not what was written: its SQLITE_CORRUPT, marked.
inline constexpr int kDamagedPage = 11 | (99 << 8);
// For sqlite3_file_control: the number of the page last refused, as std::uint32_t.
inline constexpr int kLastDamagedPage = 0x62657274;

// The name to open databases with.
const char* page_sums_vfs();

// Bound to its place, so that a page that was written elsewhere is noticed. `page` is
// without the sum's own bytes. Never 0.
std::uint64_t page_sum(std::string_view page, std::uint32_t number);

// Reads a stretch of a file that may be in use and names the pages that are not what
// was written. The stretch begins at `first` (from 1).
struct PageCheck {
    bool has_sums = false;   // false: made before there were any, nothing can be said
    std::uint32_t next = 0;  // where to go on; 0: that was all
    std::uint32_t looked_at = 0;
    std::vector<std::uint32_t> damaged;
};
// What people read of a damaged page.
std::string damaged_page(std::uint32_t number, const std::filesystem::path& file);

PageCheck check_pages(const std::filesystem::path& file, std::uint32_t first, std::uint32_t most);

}  // namespace berth
