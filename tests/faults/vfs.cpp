#include "tests/faults/vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <vector>

#include "base/assert.h"

namespace berth::test {

constexpr std::size_t kRegionBytes = 32 * 1024;  // of shared memory; SQLite asks for no other

struct FaultyVfs::Shared {
    std::vector<std::unique_ptr<char[]>> memory;  // of the write-ahead log's index
    std::vector<OpenFile*> open;
};

// SQLite gives the memory, so construction and destruction are by hand.
struct FaultyVfs::OpenFile {
    sqlite3_file base;
    FaultyVfs* vfs;
    Disk::File file;
    std::shared_ptr<Shared> shared;
    std::string name;
    bool name_unsynced;  // the first sync of a new journal syncs its directory too
    int lock;
    unsigned shm_shared, shm_exclusive;  // a bit per slot
};

struct FaultyVfs::Methods {
    static FaultyVfs& of(sqlite3_vfs* vfs) { return *static_cast<FaultyVfs*>(vfs->pAppData); }
    static OpenFile& of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
    static int code(Io io, int failed) {
        return io == Io::done ? SQLITE_OK : io == Io::full ? SQLITE_FULL : failed;
    }

    static int open(sqlite3_vfs* raw, const char* name, sqlite3_file* into, int flags,
                    int* flags_out) noexcept {
        FaultyVfs& vfs = of(raw);
        into->pMethods = nullptr;
        const std::lock_guard lock{vfs.mutex_};
        const bool existed = name != nullptr && vfs.disk_.exists(name);
        auto [io, file] = name == nullptr ? std::pair{Io::done, std::make_shared<Inode>()}
                                          : vfs.disk_.open(name, (flags & SQLITE_OPEN_CREATE) != 0);
        if (io != Io::done || !file) return SQLITE_CANTOPEN;
        auto* opened = new (into) OpenFile{};
        opened->vfs = &vfs;
        opened->file = file;
        opened->name = name == nullptr ? "" : name;
        opened->name_unsynced = name != nullptr && !existed &&
                                (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
        auto& weak = vfs.shared_[file.get()];
        opened->shared = weak.lock();
        if (!opened->shared) weak = opened->shared = std::make_shared<Shared>();
        opened->shared->open.push_back(opened);
        opened->base.pMethods = &kIo;
        if (flags_out != nullptr) *flags_out = flags;
        return SQLITE_OK;
    }

    static int close(sqlite3_file* raw) noexcept {
        OpenFile& file = of(raw);
        FaultyVfs& vfs = *file.vfs;
        const std::lock_guard lock{vfs.mutex_};
        std::erase(file.shared->open, &file);
        if (file.shared->open.empty()) vfs.shared_.erase(file.file.get());
        file.~OpenFile();
        return SQLITE_OK;
    }

    static int remove(sqlite3_vfs* raw, const char* name, int sync_directory) noexcept {
        FaultyVfs& vfs = of(raw);
        const std::lock_guard lock{vfs.mutex_};
        if (!vfs.disk_.exists(name)) return SQLITE_IOERR_DELETE_NOENT;
        Io io = vfs.disk_.remove(name);
        if (io == Io::done && sync_directory != 0) io = vfs.disk_.sync_names();
        return code(io, SQLITE_IOERR_DELETE);
    }

    static int access(sqlite3_vfs* raw, const char* name, int, int* result) noexcept {
        FaultyVfs& vfs = of(raw);
        const std::lock_guard lock{vfs.mutex_};
        *result = vfs.disk_.exists(name) ? 1 : 0;
        return code(vfs.disk_.look(), SQLITE_IOERR_ACCESS);
    }

    static int full_name(sqlite3_vfs*, const char* name, int size, char* out) noexcept {
        sqlite3_snprintf(size, out, "%s", name);
        return SQLITE_OK;
    }

    static int randomness(sqlite3_vfs* raw, int size, char* out) noexcept {
        FaultyVfs& vfs = of(raw);
        const std::lock_guard lock{vfs.mutex_};
        for (int i = 0; i < size; ++i)
            out[i] = static_cast<char>(vfs.random_());
        return size;
    }
    static int sleep(sqlite3_vfs* raw, int micros) noexcept {
        return of(raw).before_->xSleep(of(raw).before_, micros);
    }
    static int time(sqlite3_vfs* raw, double* now) noexcept {
        return of(raw).before_->xCurrentTime(of(raw).before_, now);
    }
    static int last_error(sqlite3_vfs*, int, char*) noexcept { return 0; }

    // --- one file

    static int read(sqlite3_file* raw, void* into, int size, sqlite3_int64 offset) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        std::string_view found;
        const Io io = file.vfs->disk_.read(file.file, static_cast<std::size_t>(offset),
                                           static_cast<std::size_t>(size), found);
        if (io != Io::done) return SQLITE_IOERR_READ;
        std::memcpy(into, found.data(), found.size());
        if (found.size() == static_cast<std::size_t>(size)) return SQLITE_OK;
        std::memset(static_cast<char*>(into) + found.size(), 0,
                    static_cast<std::size_t>(size) - found.size());
        return SQLITE_IOERR_SHORT_READ;
    }

    static int write(sqlite3_file* raw, const void* from, int size, sqlite3_int64 offset) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        const std::string_view bytes{static_cast<const char*>(from),
                                     static_cast<std::size_t>(size)};
        return code(file.vfs->disk_.write(file.file, static_cast<std::size_t>(offset), bytes),
                    SQLITE_IOERR_WRITE);
    }

    static int truncate(sqlite3_file* raw, sqlite3_int64 size) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        return code(file.vfs->disk_.truncate(file.file, static_cast<std::size_t>(size)),
                    SQLITE_IOERR_TRUNCATE);
    }

    static int sync(sqlite3_file* raw, int) noexcept {
        OpenFile& file = of(raw);
        if (file.vfs->on_sync_) file.vfs->on_sync_();
        const std::lock_guard lock{file.vfs->mutex_};
        Io io = file.vfs->disk_.sync(file.file);
        if (io == Io::done && file.name_unsynced) {
            io = file.vfs->disk_.sync_names();
            file.name_unsynced = false;
        }
        return code(io, SQLITE_IOERR_FSYNC);
    }

    static int size(sqlite3_file* raw, sqlite3_int64* size) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        *size = static_cast<sqlite3_int64>(file.file->seen.size());
        return code(file.vfs->disk_.look(), SQLITE_IOERR_FSTAT);
    }

    static bool another(const OpenFile& file, int at_least) {
        return std::ranges::any_of(file.shared->open, [&](const OpenFile* other) {
            return other != &file && other->lock >= at_least;
        });
    }
    static int lock(sqlite3_file* raw, int level) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        if (file.lock >= level) return SQLITE_OK;
        if (level == SQLITE_LOCK_SHARED && another(file, SQLITE_LOCK_PENDING)) return SQLITE_BUSY;
        if (level == SQLITE_LOCK_RESERVED && another(file, SQLITE_LOCK_RESERVED))
            return SQLITE_BUSY;
        if (level == SQLITE_LOCK_EXCLUSIVE) {
            if (another(file, SQLITE_LOCK_RESERVED)) return SQLITE_BUSY;
            file.lock = SQLITE_LOCK_PENDING;
            if (another(file, SQLITE_LOCK_SHARED)) return SQLITE_BUSY;
        }
        file.lock = level;
        return SQLITE_OK;
    }
    static int unlock(sqlite3_file* raw, int level) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        file.lock = std::min(file.lock, level);
        return SQLITE_OK;
    }
    static int is_reserved(sqlite3_file* raw, int* reserved) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        *reserved = another(file, SQLITE_LOCK_RESERVED) || file.lock >= SQLITE_LOCK_RESERVED;
        return SQLITE_OK;
    }
    static int control(sqlite3_file*, int, void*) noexcept { return SQLITE_NOTFOUND; }
    // As SQLite's own on Linux: a write does not harm what lies beside it.
    static int sector_size(sqlite3_file*) noexcept { return 4096; }
    static int traits(sqlite3_file*) noexcept { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

    // --- the index of the write-ahead log

    static int shm_map(sqlite3_file* raw, int region, int size, int extend,
                       void volatile** memory) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        auto& regions = file.shared->memory;
        const auto wanted = static_cast<std::size_t>(region);
        *memory = nullptr;
        if (regions.size() <= wanted) {
            if (extend == 0) return SQLITE_OK;
            const Io io = file.vfs->disk_.grow_shared_memory();
            if (io == Io::full) return SQLITE_IOERR_SHMSIZE;
            if (io == Io::failed) return SQLITE_IOERR_SHMMAP;
            BERTH_ASSERT(size == static_cast<int>(kRegionBytes));
            while (regions.size() <= wanted)
                regions.push_back(std::make_unique<char[]>(kRegionBytes));
        }
        *memory = regions[wanted].get();
        return SQLITE_OK;
    }

    static int shm_lock(sqlite3_file* raw, int first, int count, int flags) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        const unsigned slots = ((1U << count) - 1U) << first;
        if ((flags & SQLITE_SHM_UNLOCK) != 0) {
            file.shm_shared &= ~slots;
            file.shm_exclusive &= ~slots;
            return SQLITE_OK;
        }
        const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
        for (const OpenFile* other : file.shared->open) {
            if (other == &file) continue;
            const unsigned held = other->shm_exclusive | (exclusive ? other->shm_shared : 0U);
            if ((held & slots) != 0) return SQLITE_BUSY;
        }
        (exclusive ? file.shm_exclusive : file.shm_shared) |= slots;
        return SQLITE_OK;
    }

    static void shm_barrier(sqlite3_file*) noexcept {
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }

    static int shm_unmap(sqlite3_file* raw, int forget) noexcept {
        OpenFile& file = of(raw);
        const std::lock_guard lock{file.vfs->mutex_};
        file.shm_shared = file.shm_exclusive = 0;
        if (forget != 0) file.shared->memory.clear();
        return SQLITE_OK;
    }

    static const sqlite3_io_methods kIo;
};

const sqlite3_io_methods FaultyVfs::Methods::kIo{
    2,        close,       read,        write,   truncate,    sync,   size,
    lock,     unlock,      is_reserved, control, sector_size, traits, shm_map,
    shm_lock, shm_barrier, shm_unmap,   nullptr, nullptr};

FaultyVfs::FaultyVfs(std::uint64_t seed)
    : random_{seed}, vfs_{std::make_unique<sqlite3_vfs>()}, before_{sqlite3_vfs_find(nullptr)} {
    *vfs_ = *before_;  // the loading of extensions, and whatever else is never called
    vfs_->szOsFile = sizeof(OpenFile);
    vfs_->mxPathname = 1024;
    vfs_->pNext = nullptr;
    vfs_->zName = "faulty";
    vfs_->pAppData = this;
    vfs_->iVersion = 1;
    vfs_->xOpen = Methods::open;
    vfs_->xDelete = Methods::remove;
    vfs_->xAccess = Methods::access;
    vfs_->xFullPathname = Methods::full_name;
    vfs_->xRandomness = Methods::randomness;
    vfs_->xSleep = Methods::sleep;
    vfs_->xCurrentTime = Methods::time;
    vfs_->xGetLastError = Methods::last_error;
    BERTH_ASSERT(sqlite3_vfs_register(vfs_.get(), /*makeDflt=*/1) == SQLITE_OK);
    sqlite3_randomness(0, nullptr);  // from here on it comes from ours
}

void FaultyVfs::forget_memory(const std::string& name) {
    const std::lock_guard lock{mutex_};
    for (const auto& [inode, weak] : shared_)
        if (const auto shared = weak.lock())
            if (!shared->open.empty() && shared->open.front()->name == name)
                for (const auto& region : shared->memory)
                    std::memset(region.get(), 0, kRegionBytes);
}

FaultyVfs::~FaultyVfs() {
    sqlite3_vfs_unregister(vfs_.get());
    sqlite3_vfs_register(before_, /*makeDflt=*/1);
    sqlite3_randomness(0, nullptr);
}

}  // namespace berth::test
