#include "store/backup.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "base/cptr.h"
#include "base/fd.h"
#include "model/limits.h"
#include "store/db.h"
#include "store/page_sums.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
using Database = CPtr<sqlite3, sqlite3_close_v2>;

[[noreturn]] void raise(sqlite3* db, const std::string& doing) {
    throw StoreError{StoreError::Kind::io, fmt::format("{}: {} ({})", doing, sqlite3_errmsg(db),
                                                       sqlite3_extended_errcode(db))};
}

Database open(const fs::path& path) {
    sqlite3* raw = nullptr;
    const fs::path canonical = fs::weakly_canonical(path.parent_path()) / path.filename();
    const int rc = sqlite3_open_v2(
        canonical.c_str(), &raw,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW,
        page_sums_vfs());
    Database db{raw};
    if (rc != SQLITE_OK) raise(db.get(), fmt::format("opening '{}'", path.string()));
    sqlite3_busy_timeout(db.get(), static_cast<int>(limits::kStoreBusyTime.count()));
    return db;
}

void make_empty(const fs::path& path) {
    const Fd fd{
        check(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600),
              "making '{}'", path.string())};
}

void sync(const fs::path& path) {
    const Fd fd{check(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "opening '{}'", path.string())};
    check(::fsync(fd.get()), "syncing '{}'", path.string());
}

}  // namespace

Result<CopiedDatabase> copy_database(const fs::path& from, const fs::path& to) {
    if (fs::exists(fs::symlink_status(to)))
        return fail_at(FailureKind::conflict, to.string(),
                       "'{}' is there already, and nothing was copied", to.string());
    CopiedDatabase copied;
    {
        const Database source = open(from);
        make_empty(to);
        const Database target = open(to);
        sqlite3_backup* copy = sqlite3_backup_init(target.get(), "main", source.get(), "main");
        if (copy == nullptr) raise(target.get(), fmt::format("copying '{}'", from.string()));
        // All in one step: one snapshot of the write-ahead log, in which others go on.
        const int stepped = sqlite3_backup_step(copy, -1);
        copied.pages = static_cast<std::uint64_t>(sqlite3_backup_pagecount(copy));
        const int finished = sqlite3_backup_finish(copy);
        if (stepped == SQLITE_NOTADB || finished == SQLITE_NOTADB)
            return fail_at(FailureKind::invalid, from.string(), "'{}' is not a database",
                           from.string());
        if (stepped != SQLITE_DONE || finished != SQLITE_OK)
            raise(target.get(), fmt::format("copying '{}'", from.string()));
        // One file is a copy: no write-ahead log beside it. The daemon that opens it makes one.
        if (sqlite3_exec(target.get(), "pragma journal_mode=delete", nullptr, nullptr, nullptr) !=
            SQLITE_OK)
            raise(target.get(), fmt::format("finishing '{}'", to.string()));
    }
    sync(to);
    for (std::uint32_t page = 1; page != 0;) {
        const PageCheck read = check_pages(to, page, /*most=*/4096);
        if (!read.damaged.empty())
            return fail_at(FailureKind::invalid, to.string(), "{}",
                           damaged_page(read.damaged.front(), to));
        page = read.next;
    }
    copied.bytes = fs::file_size(to);
    return copied;
}

}  // namespace berth
