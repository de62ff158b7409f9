#include "daemon/backup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/fd.h"
#include "base/file.h"
#include "base/pack.h"
#include "source/archive.h"
#include "store/backup.h"
#include "store/db.h"
#include "store/dir_lock.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
constexpr const char* kStore = "berth.db";
constexpr const char* kUnpacked = ".restore-";
constexpr std::uint64_t kLeftFree = std::uint64_t{64} << 20;  // for those who go on meanwhile

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> paths;
    if (!fs::exists(folder)) return paths;
    for (const auto& entry : fs::directory_iterator{folder})
        paths.push_back(entry.path());
    std::ranges::sort(paths);
    return paths;
}

void make_private(const fs::path& folder) {
    if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST)
        check(-1, "making '{}'", folder.string());
}

// Everything of `from` is to be its folder's owner's.
void give_like(const fs::path& from, const fs::path& tree) {
    struct stat owner {};
    check(::stat(from.c_str(), &owner), "looking at '{}'", from.string());
    const auto give = [&](const fs::path& path) {
        check(::lchown(path.c_str(), owner.st_uid, owner.st_gid), "giving away '{}'",
              path.string());
    };
    give(tree);
    if (!fs::is_directory(fs::symlink_status(tree))) return;
    for (const auto& entry : fs::recursive_directory_iterator{tree})
        give(entry.path());
}

// A copy that fails leaves nothing: what has a database's name is a whole one.
Result<CopiedDatabase> copy_whole(const fs::path& from, const fs::path& to) {
    if (fs::exists(fs::symlink_status(to))) return copy_database(from, to);  // which refuses
    const auto remove_rest = [&] {
        std::error_code ignored;
        fs::remove(to, ignored);
        fs::remove(to.string() + "-journal", ignored);
    };
    try {
        auto copied = copy_database(from, to);
        if (!copied) remove_rest();
        return copied;
    } catch (const StoreError& error) {
        remove_rest();
        return fail_at(FailureKind::invalid, from.string(),
                       "'{}' is damaged, or cannot be copied: {}", from.string(), error.what());
    } catch (...) {
        remove_rest();
        throw;
    }
}

Result<void> copy_databases(const fs::path& from, const fs::path& to, BackupSums& sums) {
    for (const fs::path& path : entries(from)) {
        if (path.extension() != ".db") continue;
        auto copied = copy_whole(path, to / path.filename());
        if (!copied) return pass_on(copied);
        sums.databases += 1;
        sums.bytes += copied->bytes;
    }
    return {};
}

void copy_releases(const fs::path& from, const fs::path& to, BackupSums& sums) {
    for (const fs::path& path : entries(from)) {
        const std::string name = path.filename().string();
        if (name.starts_with('.')) continue;  // one that is being received
        fs::copy(path, to / name, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        sums.releases += 1;
    }
}

Result<void> pack_releases(const fs::path& from, const fs::path& to, BackupSums& sums) {
    for (const fs::path& path : entries(from)) {
        const std::string name = path.filename().string();
        if (name.starts_with('.')) continue;
        const fs::path tar = to / (name + ".tar");
        const Fd out{check(::open(tar.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
                           "making '{}'", tar.string())};
        if (auto packed = pack_directory(path, out.get(), Git::kept); !packed)
            return pass_on(packed);
        sums.releases += 1;
    }
    return {};
}

// A release is named by its content: what has another name now is not what was kept.
Result<void> unpack_release(const fs::path& tar, const Config& config, BackupSums& sums) {
    const Fd in{check(::open(tar.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW), "opening '{}'",
                      tar.string())};
    auto stored = store_release(in.get(), config.releases_dir);
    if (!stored) return pass_on(stored);
    if (stored->hash != tar.stem().string())
        return fail_at(FailureKind::invalid, tar.string(),
                       "release '{}' of the backup is damaged: its content is that of '{}'",
                       tar.stem().string(), stored->hash);
    give_like(config.releases_dir, stored->dir);
    sums.releases += 1;
    return {};
}

void copy_release(const fs::path& from, const Config& config, BackupSums& sums) {
    const fs::path to = config.releases_dir / from.filename();
    if (fs::exists(to)) return;  // named by its content: it is the same
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    give_like(config.releases_dir, to);
    sums.releases += 1;
}

std::uint64_t bytes_below(const fs::path& folder) {
    std::uint64_t bytes = 0;
    std::error_code gone;  // what ends meanwhile has no bytes
    for (fs::recursive_directory_iterator at{folder, gone}, end; at != end; at.increment(gone))
        if (at->is_regular_file(gone)) bytes += at->file_size(gone);
    return bytes;
}

Result<void> make_room(const Config& config, const fs::path& folder) {
    const std::uint64_t needed =
        bytes_below(config.store_dir()) + bytes_below(config.releases_dir) + kLeftFree;
    const std::uint64_t free = fs::space(folder).available;
    if (free >= needed) return {};
    return fail_at(FailureKind::over_limit, folder.string(),
                   "a backup needs {} MiB in '{}' while it is made, and {} are free; make room, "
                   "or copy onto another disk with 'berthd --backup FOLDER'",
                   needed >> 20, config.store_dir().string(), free >> 20);
}

Result<void> copy_store(const Config& config, const fs::path& folder, BackupSums& sums) {
    for (const char* part : {"store", "store/logs", "releases"})
        make_private(folder / part);
    if (auto done = copy_databases(config.store_dir(), folder / "store", sums); !done)
        return pass_on(done);
    return copy_databases(config.store_dir() / "logs", folder / "store/logs", sums);
}

// A tar unpacked beside the store, for as long as it is needed.
class Unpacked {
public:
    explicit Unpacked(const fs::path& store_dir) {
        std::string name = (store_dir / kUnpacked).string() + "XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) check(-1, "making '{}'", name);
        path_ = name;
    }
    Unpacked(const Unpacked&) = delete;
    Unpacked& operator=(const Unpacked&) = delete;
    ~Unpacked() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    const fs::path& path() const { return path_; }
    Result<void> fill(const fs::path& tar) const {
        const Fd in{check(::open(tar.c_str(), O_RDONLY | O_CLOEXEC), "opening '{}'", tar.string())};
        const Fd to{check(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "opening '{}'",
                          path_.string())};
        return unpack(
            in.get(), to.get(),
            {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::uint64_t>::max()});
    }

private:
    fs::path path_;
};

Result<void> no_store_there(const Config& config) {
    if (!fs::exists(config.store_dir() / kStore)) return {};
    return fail_at(FailureKind::conflict, config.store_dir().string(),
                   "there is a store in '{}', and nothing was put back; stop Berth, and move "
                   "that store away yourself if you mean to",
                   config.store_dir().string());
}

Result<BackupSums> restore_folder(const Config& config, const fs::path& folder,
                                  const fs::path& name) {
    if (!fs::exists(folder / "store" / kStore))
        return fail_at(FailureKind::not_found, name.string(),
                       "'{}' holds no backup: there is no 'store/{}' in it", name.string(), kStore);
    auto lock = lock_dir(config.store_dir());
    if (!lock) return pass_on(lock);
    BackupSums sums;
    make_private(config.store_dir() / "logs");
    // The store last: with it there, it is a whole one.
    if (auto done = copy_databases(folder / "store/logs", config.store_dir() / "logs", sums); !done)
        return pass_on(done);
    for (const fs::path& path : entries(folder / "releases")) {
        if (path.extension() != ".tar")
            copy_release(path, config, sums);
        else if (auto done = unpack_release(path, config, sums); !done)
            return pass_on(done);
    }
    if (auto done = copy_databases(folder / "store", config.store_dir(), sums); !done)
        return pass_on(done);
    for (const fs::path& path : entries(config.store_dir()))
        give_like(config.store_dir(), path);
    ::sync();
    return sums;
}

}  // namespace

Result<BackupSums> back_up(const Config& config, const fs::path& folder) {
    if (!fs::exists(config.store_dir() / kStore))
        return fail_at(FailureKind::not_found, config.store_dir().string(),
                       "there is no store in '{}'; is 'state_dir' right?",
                       config.store_dir().string());
    if (::mkdir(folder.c_str(), 0700) < 0) {
        if (errno == EEXIST)
            return fail_at(FailureKind::conflict, folder.string(),
                           "'{}' is there already; name a folder that is not", folder.string());
        check(-1, "making '{}'", folder.string());
    }
    BackupSums sums;
    if (auto done = copy_store(config, folder, sums); !done) return pass_on(done);
    copy_releases(config.releases_dir, folder / "releases", sums);
    ::sync();
    return sums;
}

Result<BackupSums> snapshot(const Config& config, const fs::path& folder) {
    if (auto room = make_room(config, folder); !room) return pass_on(room);
    BackupSums sums;
    if (auto done = copy_store(config, folder, sums); !done) return pass_on(done);
    if (auto done = pack_releases(config.releases_dir, folder / "releases", sums); !done)
        return pass_on(done);
    return sums;
}

Result<BackupSums> restore(const Config& config, const fs::path& from) {
    if (!fs::exists(from))
        return fail_at(FailureKind::not_found, from.string(), "there is no backup '{}'",
                       from.string());
    if (auto free = no_store_there(config); !free) return pass_on(free);
    if (fs::is_directory(from)) return restore_folder(config, from, from);
    const Unpacked unpacked{config.store_dir()};
    if (auto filled = unpacked.fill(from); !filled)
        return fail_at(FailureKind::invalid, from.string(), "'{}' is no whole backup: {}",
                       from.string(), filled.error().message);
    return restore_folder(config, unpacked.path(), from);
}

}  // namespace berth
