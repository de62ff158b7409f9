#include "store/page_sums.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <string>

#include "base/fd.h"

namespace berth {
namespace {

static_assert(kDamagedPage == (SQLITE_CORRUPT | (99 << 8)));

constexpr std::size_t kSumBytes = kPageSumBytes;
constexpr std::size_t kHeadBytes = 24;
constexpr std::size_t kReservedAt = 20;  // in the head: bytes left free in each page
constexpr char kMagic[] = "SQLite format 3";

std::uint64_t word_at(const char* bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

// Whether the database that begins so has sums; nothing: it is no database yet.
std::optional<bool> says_sums(const char* head) {
    if (std::memcmp(head, kMagic, sizeof kMagic) != 0) return {};
    return head[kReservedAt] == kPageSumBytes;
}

// Big-endian; 1 stands for 65536.
std::size_t page_size(const char* head) {
    const std::size_t said = static_cast<std::size_t>(static_cast<unsigned char>(head[16])) << 8 |
                             static_cast<unsigned char>(head[17]);
    return said == 1 ? 65'536 : said;
}

// The mark itself can be what has changed: page 1 has a sum that fits once it is back.
bool has_lost_its_mark(std::string page1) {
    if (page1.size() < 512) return false;
    page1[kReservedAt] = kPageSumBytes;
    const std::size_t content = page1.size() - kSumBytes;
    return word_at(page1.data() + content) == page_sum({page1.data(), content}, 1);
}

enum class Verdict { good, damaged };
Verdict look_at(const char* page, std::size_t size, std::uint32_t number) {
    const std::uint64_t kept = word_at(page + size - kSumBytes);
    if (kept == 0) return Verdict::good;
    return kept == page_sum({page, size - kSumBytes}, number) ? Verdict::good : Verdict::damaged;
}

// One open file, in memory that SQLite gives us: no constructors run.
struct SumFile {
    sqlite3_file base;
    sqlite3_file* real;
    char* scratch;  // for the page being written
    bool is_database;
    bool knows;  // the next one
    bool has_sums;
    std::uint32_t damaged;
};

SumFile& mine(sqlite3_file* file) { return *reinterpret_cast<SumFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return mine(file).real; }

bool is_page(int size, sqlite3_int64 offset) {
    return size >= 512 && (size & (size - 1)) == 0 && offset % size == 0;
}

std::uint32_t page_number(int size, sqlite3_int64 offset) {
    return static_cast<std::uint32_t>(offset / size) + 1;
}

void learn(SumFile& file, const char* head) {
    const auto says = says_sums(head);
    if (!says) return;
    file.knows = true;
    file.has_sums = *says;
}

bool has_sums(SumFile& file) {
    if (file.knows) return file.has_sums;
    const auto read = [&](char* into, std::size_t size) {
        return file.real->pMethods->xRead(file.real, into, static_cast<int>(size), 0) == SQLITE_OK;
    };
    char head[kHeadBytes];
    if (!read(head, sizeof head)) return false;
    learn(file, head);
    if (!file.knows || file.has_sums) return file.has_sums;
    std::string page1(page_size(head), '\0');
    file.has_sums = read(page1.data(), page1.size()) && has_lost_its_mark(std::move(page1));
    return file.has_sums;
}

int close_file(sqlite3_file* file) noexcept {
    SumFile& my = mine(file);
    const int rc = my.real->pMethods->xClose(my.real);
    sqlite3_free(my.real);
    sqlite3_free(my.scratch);
    return rc;
}

int read_file(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) noexcept {
    SumFile& my = mine(file);
    const int rc = my.real->pMethods->xRead(my.real, into, size, offset);
    if (rc != SQLITE_OK || !my.is_database) return rc;
    auto* const bytes = static_cast<char*>(into);
    if (!is_page(size, offset) || !has_sums(my)) return rc;
    const auto number = page_number(size, offset);
    if (look_at(bytes, static_cast<std::size_t>(size), number) == Verdict::damaged) {
        my.damaged = number;
        return kDamagedPage;
    }
    // What SQLite keeps, and copies into its log, has no sum: it would be an old one.
    std::memset(bytes + size - kPageSumBytes, 0, kSumBytes);
    return rc;
}

int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) noexcept {
    SumFile& my = mine(file);
    if (!my.is_database || !is_page(size, offset))
        return my.real->pMethods->xWrite(my.real, from, size, offset);
    if (offset == 0) learn(my, static_cast<const char*>(from));
    if (!has_sums(my)) return my.real->pMethods->xWrite(my.real, from, size, offset);
    constexpr int kLargestPage = 65'536;
    if (my.scratch == nullptr) my.scratch = static_cast<char*>(sqlite3_malloc(kLargestPage));
    if (my.scratch == nullptr) return SQLITE_IOERR_NOMEM;
    std::memcpy(my.scratch, from, static_cast<std::size_t>(size));
    const auto content = static_cast<std::size_t>(size) - kSumBytes;
    const auto sum = page_sum({my.scratch, content}, page_number(size, offset));
    std::memcpy(my.scratch + content, &sum, sizeof sum);
    return my.real->pMethods->xWrite(my.real, my.scratch, size, offset);
}

int control_file(sqlite3_file* file, int what, void* value) noexcept {
    if (what == kLastDamagedPage) {
        *static_cast<std::uint32_t*>(value) = mine(file).damaged;
        return SQLITE_OK;
    }
    return real(file)->pMethods->xFileControl(real(file), what, value);
}

// Version 2: the shared memory of the write-ahead log, and no mapping of pages, which
// would go past us.
constexpr sqlite3_io_methods kMethods{
    2,
    close_file,
    read_file,
    write_file,
    [](sqlite3_file* f, sqlite3_int64 size) noexcept {
        return real(f)->pMethods->xTruncate(real(f), size);
    },
    [](sqlite3_file* f, int flags) noexcept { return real(f)->pMethods->xSync(real(f), flags); },
    [](sqlite3_file* f, sqlite3_int64* size) noexcept {
        return real(f)->pMethods->xFileSize(real(f), size);
    },
    [](sqlite3_file* f, int lock) noexcept { return real(f)->pMethods->xLock(real(f), lock); },
    [](sqlite3_file* f, int lock) noexcept { return real(f)->pMethods->xUnlock(real(f), lock); },
    [](sqlite3_file* f, int* out) noexcept {
        return real(f)->pMethods->xCheckReservedLock(real(f), out);
    },
    control_file,
    [](sqlite3_file* f) noexcept { return real(f)->pMethods->xSectorSize(real(f)); },
    [](sqlite3_file* f) noexcept { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    [](sqlite3_file* f, int page, int size, int extend, void volatile** out) noexcept {
        return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
    },
    [](sqlite3_file* f, int offset, int n, int flags) noexcept {
        return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
    },
    [](sqlite3_file* f) noexcept { real(f)->pMethods->xShmBarrier(real(f)); },
    [](sqlite3_file* f, int remove) noexcept {
        return real(f)->pMethods->xShmUnmap(real(f), remove);
    },
    nullptr,
    nullptr,
};

// SQLite's own, or the one of a test that has taken its place.
sqlite3_vfs* below() { return sqlite3_vfs_find(nullptr); }

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) noexcept {
    sqlite3_vfs* const vfs = below();
    SumFile& my = mine(file);
    std::memset(&my, 0, sizeof my);
    my.real = static_cast<sqlite3_file*>(sqlite3_malloc(vfs->szOsFile));
    if (my.real == nullptr) return SQLITE_NOMEM;
    std::memset(my.real, 0, static_cast<std::size_t>(vfs->szOsFile));
    const int rc = vfs->xOpen(vfs, name, my.real, flags, out);
    if (rc != SQLITE_OK) {
        // A file that has its methods wants to be closed, whatever was said.
        if (my.real->pMethods != nullptr) my.real->pMethods->xClose(my.real);
        sqlite3_free(my.real);
        return rc;
    }
    my.is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    my.base.pMethods = &kMethods;
    return rc;
}

sqlite3_vfs make_vfs() {
    sqlite3_vfs vfs{};
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(SumFile);
    vfs.mxPathname = 1024;
    vfs.zName = "berth-page-sums";
    vfs.xOpen = open_file;
    vfs.xDelete = [](sqlite3_vfs*, const char* name, int sync) noexcept {
        return below()->xDelete(below(), name, sync);
    };
    vfs.xAccess = [](sqlite3_vfs*, const char* name, int flags, int* out) noexcept {
        return below()->xAccess(below(), name, flags, out);
    };
    vfs.xFullPathname = [](sqlite3_vfs*, const char* name, int size, char* out) noexcept {
        return below()->xFullPathname(below(), name, size, out);
    };
    vfs.xRandomness = [](sqlite3_vfs*, int size, char* out) noexcept {
        return below()->xRandomness(below(), size, out);
    };
    vfs.xSleep = [](sqlite3_vfs*, int us) noexcept { return below()->xSleep(below(), us); };
    vfs.xCurrentTime = [](sqlite3_vfs*, double* out) noexcept {
        return below()->xCurrentTime(below(), out);
    };
    vfs.xGetLastError = [](sqlite3_vfs*, int size, char* out) noexcept {
        return below()->xGetLastError ? below()->xGetLastError(below(), size, out) : 0;
    };
    return vfs;
}

}  // namespace

const char* page_sums_vfs() {
    static sqlite3_vfs vfs = [] {
        sqlite3_initialize();
        return make_vfs();
    }();
    static std::once_flag registered;
    std::call_once(registered, [] { sqlite3_vfs_register(&vfs, /*makeDflt=*/0); });
    return vfs.zName;
}

// Each step can be undone, so that a change within one word is always seen.
std::uint64_t page_sum(std::string_view page, std::uint32_t number) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;
    std::uint64_t lanes[4] = {number, 1, 2, 3};
    const auto mix = [](std::uint64_t& lane, std::uint64_t word) {
        lane = (lane ^ word) * kOdd;
        lane ^= lane >> 32;
    };
    std::size_t at = 0;
    for (std::size_t i = 0; at + sizeof(std::uint64_t) <= page.size(); at += 8, ++i)
        mix(lanes[i % 4], word_at(page.data() + at));
    std::uint64_t sum = page.size();
    for (const std::uint64_t lane : lanes)
        mix(sum, lane);
    return sum == 0 ? 1 : sum;
}

std::string damaged_page(std::uint32_t number, const std::filesystem::path& file) {
    return fmt::format(
        "page {} of '{}' is not what Berth wrote there: the disk has changed it, or another "
        "program has",
        number, file.string());
}

PageCheck check_pages(const std::filesystem::path& path, std::uint32_t first, std::uint32_t most) {
    PageCheck check;
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    char head[kHeadBytes];
    if (!file || ::pread(file.get(), head, sizeof head, 0) != sizeof head) return check;
    const std::size_t size = page_size(head);
    if (size < 512) return check;
    std::string page(size, '\0');
    check.has_sums = says_sums(head).value_or(false) ||
                     (::pread(file.get(), page.data(), size, 0) == static_cast<ssize_t>(size) &&
                      has_lost_its_mark(page));
    if (!check.has_sums) return check;
    constexpr int kLooks = 5;  // it may be written at this moment
    for (std::uint32_t number = first; number - first < most; ++number) {
        const auto offset = static_cast<off_t>(number - 1) * static_cast<off_t>(size);
        bool good = false;
        for (int look = 0; look < kLooks && !good; ++look) {
            const auto n = ::pread(file.get(), page.data(), size, offset);
            if (n != static_cast<ssize_t>(size)) {  // its end
                check.next = 0;
                return check;
            }
            good = look_at(page.data(), size, number) == Verdict::good;
        }
        ++check.looked_at;
        if (!good) check.damaged.push_back(number);
        check.next = number + 1;
    }
    return check;
}

}  // namespace berth
