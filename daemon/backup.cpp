#include "daemon/backup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "store/backup.h"
#include "store/dir_lock.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
constexpr const char* kStore = "berth.db";

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

Result<void> copy_databases(const fs::path& from, const fs::path& to, BackupSums& sums) {
    for (const fs::path& path : entries(from)) {
        if (path.extension() != ".db") continue;
        auto copied = copy_database(path, to / path.filename());
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
    for (const char* part : {"store", "store/logs", "releases"})
        make_private(folder / part);
    if (auto done = copy_databases(config.store_dir(), folder / "store", sums); !done)
        return pass_on(done);
    if (auto done = copy_databases(config.store_dir() / "logs", folder / "store/logs", sums); !done)
        return pass_on(done);
    copy_releases(config.releases_dir, folder / "releases", sums);
    ::sync();
    return sums;
}

Result<BackupSums> restore(const Config& config, const fs::path& folder) {
    if (!fs::exists(folder / "store" / kStore))
        return fail_at(FailureKind::not_found, folder.string(),
                       "'{}' holds no backup: there is no 'store/{}' in it", folder.string(),
                       kStore);
    if (fs::exists(config.store_dir() / kStore))
        return fail_at(FailureKind::conflict, config.store_dir().string(),
                       "there is a store in '{}', and nothing was put back; stop Berth, and move "
                       "that store away yourself if you mean to",
                       config.store_dir().string());
    auto lock = lock_dir(config.store_dir());
    if (!lock) return pass_on(lock);
    BackupSums sums;
    make_private(config.store_dir() / "logs");
    // The store last: with it there, it is a whole one.
    if (auto done = copy_databases(folder / "store/logs", config.store_dir() / "logs", sums); !done)
        return pass_on(done);
    for (const fs::path& path : entries(folder / "releases")) {
        const fs::path to = config.releases_dir / path.filename();
        if (fs::exists(to)) continue;  // named by its content: it is the same
        fs::copy(path, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        give_like(config.releases_dir, to);
        sums.releases += 1;
    }
    if (auto done = copy_databases(folder / "store", config.store_dir(), sums); !done)
        return pass_on(done);
    for (const fs::path& path : entries(config.store_dir()))
        give_like(config.store_dir(), path);
    ::sync();
    return sums;
}

}  // namespace berth
