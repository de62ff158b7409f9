// From an unpacked tar to a release on disk: hash, read-only, synced, renamed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "source/archive.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".new-";

void hash_file(Sha256& hash, const fs::path& path) {
    const Fd in{check(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW), "opening '{}'",
                      path.string())};
    struct stat status {};
    check(::fstat(in.get(), &status), "looking at '{}'", path.string());
    hash.add(fmt::format("{}", status.st_size));
    hash.add({"\0", 1});
    std::vector<char> chunk(64 * 1024);
    for (;;) {
        const ssize_t n =
            check(::read(in.get(), chunk.data(), chunk.size()), "reading '{}'", path.string());
        if (n == 0) return;
        hash.add({chunk.data(), static_cast<std::size_t>(n)});
    }
}

std::vector<fs::path> sorted_paths(const fs::path& dir) {
    std::vector<fs::path> all;
    for (const auto& entry : fs::recursive_directory_iterator{dir})
        all.push_back(entry.path());
    std::ranges::sort(all, {}, [](const fs::path& path) { return path.native(); });
    return all;
}

// Files 0444 or 0555, folders 0555, from the leaves to the root.
void make_read_only(const fs::path& dir) {
    auto all = sorted_paths(dir);
    std::ranges::reverse(all);
    all.push_back(dir);
    for (const fs::path& path : all) {
        const auto status = fs::symlink_status(path);
        if (fs::is_symlink(status)) continue;
        const bool executable = fs::is_directory(status) ||
                                (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
        check(::chmod(path.c_str(), executable ? 0555 : 0444), "setting the mode of '{}'",
              path.string());
    }
}

// Also what make_read_only() has closed already.
void remove_tree(const fs::path& dir) {
    std::error_code ignored;  // what stays is cleared at the next start
    fs::permissions(dir, fs::perms::owner_all, ignored);
    for (auto at = fs::recursive_directory_iterator{dir, ignored}; at != fs::end(at);
         at.increment(ignored))
        if (at->is_directory(ignored) && !at->is_symlink(ignored))
            fs::permissions(at->path(), fs::perms::owner_all, ignored);
    fs::remove_all(dir, ignored);
}

class Unfinished {
public:
    explicit Unfinished(fs::path path) : path_{std::move(path)} {
        check(::mkdir(path_.c_str(), 0755), "making folder '{}'", path_.string());
    }
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;
    ~Unfinished() {
        if (!path_.empty()) remove_tree(path_);
    }
    const fs::path& path() const { return path_; }
    void keep() { path_.clear(); }

private:
    fs::path path_;
};

template <typename Tar>
Result<StoredRelease> store(Tar tar, const fs::path& releases_dir, const UnpackLimits& limits) {
    Unfinished unfinished{releases_dir / fmt::format("{}{}", kUnfinished, random_id())};
    const Fd dir{check(::open(unfinished.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                       "opening '{}'", unfinished.path().string())};
    if (auto unpacked = unpack(tar, dir.get(), limits); !unpacked) return pass_on(unpacked);

    StoredRelease release;
    release.hash = content_hash(unfinished.path());
    release.dir = releases_dir / release.hash;
    if (fs::exists(release.dir)) return release;

    make_read_only(unfinished.path());
    // One syncfs instead of an fsync for each of up to 100,000 files.
    check(::syncfs(dir.get()), "syncing '{}'", unfinished.path().string());
    if (::rename(unfinished.path().c_str(), release.dir.c_str()) == 0) {
        unfinished.keep();
        const Fd parent{check(::open(releases_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                              "opening '{}'", releases_dir.string())};
        check(::fsync(parent.get()), "syncing '{}'", releases_dir.string());
    } else if (errno != EEXIST && errno != ENOTEMPTY) {  // somebody else stored the same
        check(-1, "renaming '{}' to '{}'", unfinished.path().string(), release.dir.string());
    }
    return release;
}

}  // namespace

std::string content_hash(const fs::path& dir) {
    Sha256 hash;
    hash.add("berth release 1\n");
    for (const fs::path& path : sorted_paths(dir)) {
        const auto status = fs::symlink_status(path);
        const bool executable = (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
        const char kind = fs::is_symlink(status)     ? 'L'
                          : fs::is_directory(status) ? 'D'
                          : executable               ? 'X'
                                                     : 'F';
        hash.add({&kind, 1});
        hash.add(path.lexically_relative(dir).native());
        hash.add({"\0", 1});
        if (kind == 'L') hash.add(fs::read_symlink(path).native() + '\0');
        if (kind == 'F' || kind == 'X') hash_file(hash, path);
    }
    return to_hex(hash.finish());
}

Result<StoredRelease> store_release(int tar_fd, const fs::path& releases_dir,
                                    const UnpackLimits& limits) {
    return store(tar_fd, releases_dir, limits);
}

Result<StoredRelease> store_release(std::string_view tar, const fs::path& releases_dir,
                                    const UnpackLimits& limits) {
    return store(tar, releases_dir, limits);
}

void remove_release(const fs::path& releases_dir, const std::string& hash) {
    // What is half removed is no release, and is cleared at the next start.
    const fs::path gone = releases_dir / fmt::format("{}{}", kUnfinished, random_id());
    if (::rename((releases_dir / hash).c_str(), gone.c_str()) != 0 && errno == ENOENT) return;
    remove_tree(gone);
}

void remove_unfinished_releases(const fs::path& releases_dir) {
    if (!fs::exists(releases_dir)) return;
    std::vector<fs::path> unfinished;
    for (const auto& entry : fs::directory_iterator{releases_dir})
        if (entry.path().filename().native().starts_with(kUnfinished))
            unfinished.push_back(entry.path());
    for (const fs::path& path : unfinished)
        remove_tree(path);
}

}  // namespace berth
