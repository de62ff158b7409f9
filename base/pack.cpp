#include "base/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/cptr.h"
#include "base/fd.h"
#include "base/text.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
using Writer = CPtr<archive, archive_write_free>;
using Entry = CPtr<archive_entry, archive_entry_free>;

// Throws what libarchive said; its handles are of no use after that.
void check_archive(int rc, archive* handle, std::string_view doing) {
    if (rc >= ARCHIVE_WARN) return;
    const int err = archive_errno(handle);
    throw SystemError{err > 0 ? err : EIO, doing};
}

struct Found {
    std::string path;  // relative to the root
    struct stat status;
};

Result<std::vector<Found>> list(const fs::path& dir, Git git) {
    std::vector<Found> all;
    const auto options = fs::directory_options::none;  // links are not followed
    for (auto at = fs::recursive_directory_iterator{dir, options}; at != fs::end(at); ++at) {
        if (git == Git::left_out && at->path().filename() == ".git") {
            if (at->is_directory()) at.disable_recursion_pending();
            continue;
        }
        Found found{at->path().lexically_relative(dir).string(), {}};
        check(::lstat(at->path().c_str(), &found.status), "looking at '{}'", at->path().string());
        const auto mode = found.status.st_mode;
        if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
            return fail_at(FailureKind::unprocessable, found.path,
                           "'{}' is a socket, a device or a fifo, which a release cannot hold; "
                           "remove it from the folder",
                           printable(found.path));
        all.push_back(std::move(found));
    }
    std::ranges::sort(all, {}, &Found::path);
    return all;
}

void write_content(archive* out, const fs::path& path, std::uint64_t size) {
    const Fd in{check(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW), "opening '{}'",
                      path.string())};
    std::vector<char> chunk(64 * 1024);
    for (std::uint64_t left = size; left > 0;) {
        const ssize_t n =
            check(::read(in.get(), chunk.data(), std::min<std::uint64_t>(chunk.size(), left)),
                  "reading '{}'", path.string());
        if (n == 0) throw SystemError{EIO, fmt::format("'{}' became shorter", path.string())};
        if (archive_write_data(out, chunk.data(), static_cast<std::size_t>(n)) != n)
            check_archive(ARCHIVE_FATAL, out, "writing the archive");
        left -= static_cast<std::uint64_t>(n);
    }
}

}  // namespace

bool link_stays_inside(std::string_view path, std::string_view target) {
    if (target.empty() || target.front() == '/') return false;
    auto depth = std::ranges::count(path, '/');  // of the folder the link is in
    bool named = false;
    for (const std::string& part : split(target, '/')) {
        if (part != "..") {
            named = named || (!part.empty() && part != ".");
            continue;
        }
        if (named || --depth < 0) return false;
    }
    return true;
}

Result<std::uint64_t> pack_directory(const fs::path& dir, int out_fd, Git git) {
    if (!fs::is_directory(dir))
        return fail_at(FailureKind::not_found, dir.string(), "there is no folder '{}'",
                       dir.string());
    auto found = list(dir, git);
    if (!found) return pass_on(found);

    const Writer out{archive_write_new()};
    check_archive(archive_write_set_format_pax_restricted(out.get()), out.get(), "making a tar");
    // Names are bytes; without this they are translated through the locale.
    check_archive(archive_write_set_options(out.get(), "hdrcharset=BINARY"), out.get(),
                  "making a tar");
    check_archive(archive_write_open_fd(out.get(), out_fd), out.get(), "opening the archive");
    for (const Found& one : *found) {
        const Entry entry{archive_entry_new()};
        const auto mode = one.status.st_mode;
        archive_entry_copy_pathname(entry.get(), one.path.c_str());
        archive_entry_set_filetype(entry.get(), mode & S_IFMT);
        const bool executable = S_ISDIR(mode) || S_ISLNK(mode) || (mode & S_IXUSR) != 0;
        archive_entry_set_perm(entry.get(), executable ? 0755 : 0644);
        archive_entry_set_mtime(entry.get(), 0, 0);
        if (S_ISREG(mode)) archive_entry_set_size(entry.get(), one.status.st_size);
        if (S_ISLNK(mode)) {
            const std::string target = fs::read_symlink(dir / one.path).string();
            if (!link_stays_inside(one.path, target))
                return fail_at(FailureKind::unprocessable, one.path,
                               "link '{}' leads to '{}', outside of the folder; copy the file in "
                               "its place",
                               printable(one.path), printable(target));
            archive_entry_copy_symlink(entry.get(), target.c_str());
        }
        check_archive(archive_write_header(out.get(), entry.get()), out.get(),
                      "writing the archive");
        if (S_ISREG(mode))
            write_content(out.get(), dir / one.path,
                          static_cast<std::uint64_t>(one.status.st_size));
    }
    check_archive(archive_write_close(out.get()), out.get(), "closing the archive");
    return static_cast<std::uint64_t>(archive_filter_bytes(out.get(), -1));
}

}  // namespace berth
