#include "source/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "base/cptr.h"
#include "base/crypto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/pack.h"
#include "base/text.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
using Reader = CPtr<archive, archive_read_free>;

constexpr std::size_t kPathBytes = 1024;
constexpr std::size_t kPartBytes = 255;  // NAME_MAX

Fd open_folder(int at, const std::string& path) {
    return open_beneath(at, path, O_RDONLY | O_DIRECTORY);
}

class Unpacker {
public:
    Unpacker(int dir_fd, const UnpackLimits& limits) : dir_fd_{dir_fd}, limits_{limits} {}

    Result<void> run(archive* in) {
        for (;;) {
            archive_entry* entry = nullptr;
            const int rc = archive_read_next_header(in, &entry);
            if (rc == ARCHIVE_EOF) break;
            if (rc < ARCHIVE_WARN) return damaged(in);
            if (auto placed = place(in, entry); !placed) return placed;
        }
        if (entries_ == 0) return fail(FailureKind::unprocessable, "the archive holds no files");
        return {};
    }

private:
    static tl::unexpected<Failure> damaged(archive* in) {
        const char* why = archive_error_string(in);
        return fail(FailureKind::invalid, "the archive cannot be read as a tar: {}",
                    printable(why != nullptr ? why : "unknown trouble"));
    }

    template <typename... Args>
    static tl::unexpected<Failure> refuse(const std::string& path, fmt::format_string<Args...> what,
                                          Args&&... args) {
        return fail_at(FailureKind::unprocessable, path, "'{}' in the archive {}", printable(path),
                       fmt::format(what, std::forward<Args>(args)...));
    }

    Result<void> place(archive* in, archive_entry* entry) {
        // A pax name is UTF-8; other names are bytes that UTF-8 may not fit.
        const char* name = archive_entry_pathname_utf8(entry);
        if (name == nullptr) name = archive_entry_pathname(entry);
        if (name == nullptr)
            return fail(FailureKind::invalid, "an entry of the archive has no name");
        const std::string written = name;
        auto path = clean(written);
        if (!path) return pass_on(path);
        if (path->empty()) return {};  // the root itself, "./"

        if (archive_entry_hardlink(entry) != nullptr)
            return refuse(written, "is a hard link; pack it as a file of its own");
        const auto kind = archive_entry_filetype(entry);
        if (kind != AE_IFREG && kind != AE_IFDIR && kind != AE_IFLNK)
            return refuse(written, "is a device, a fifo or a socket, which a release cannot hold");
        try {
            return create(in, entry, *path);
        } catch (const SystemError& error) {
            switch (error.err()) {
                case EEXIST: return refuse(written, "comes twice");
                case ENOTDIR:
                case ELOOP: return refuse(written, "lies below something that is not a folder");
                default: throw;
            }
        }
    }

    // The path without "." and doubled or ending slashes.
    static Result<std::string> clean(const std::string& written) {
        if (written.starts_with("/")) return refuse(written, "has an absolute path");
        if (written.size() > kPathBytes)
            return refuse(written, "has a path longer than {} bytes", kPathBytes);
        std::string path;
        for (const std::string& part : split(written, '/')) {
            if (part.empty() || part == ".") continue;
            if (part == "..") return refuse(written, "has '..' in its path");
            if (part.size() > kPartBytes)
                return refuse(written, "has a name longer than {} bytes", kPartBytes);
            path += (path.empty() ? "" : "/") + part;
        }
        return path;
    }

    Result<void> create(archive* in, archive_entry* entry, const std::string& path) {
        const auto kind = archive_entry_filetype(entry);
        if (kind == AE_IFDIR) return make_folder(path);
        const std::size_t slash = path.rfind('/');
        if (slash != std::string::npos)
            if (auto made = make_folder(path.substr(0, slash)); !made) return made;
        if (auto counted = count(path); !counted) return counted;
        return kind == AE_IFLNK ? make_link(entry, path) : make_file(in, entry, path);
    }

    Result<void> count(const std::string& path) {
        if (++entries_ <= limits_.files) return {};
        return fail_at(FailureKind::over_limit, path, "the archive holds more than {} files",
                       limits_.files);
    }

    // With all the folders it lies in; entries come folder by folder, so the last
    // one that was made saves most of the work.
    Result<void> make_folder(const std::string& path) {
        if (path == last_folder_) return {};
        for (std::size_t end = 0; end != std::string::npos;) {
            end = path.find('/', end + 1);
            const std::string part = path.substr(0, end);
            const std::size_t slash = part.rfind('/');
            const Fd parent =
                open_folder(dir_fd_, slash == std::string::npos ? "." : part.substr(0, slash));
            const std::string name = slash == std::string::npos ? part : part.substr(slash + 1);
            if (::mkdirat(parent.get(), name.c_str(), 0755) == 0) {
                if (auto counted = count(path); !counted) return counted;
                const Fd made = open_folder(parent.get(), name);
                check(::fchmod(made.get(), 0755), "setting the mode of '{}'", part);  // umask
            } else if (errno != EEXIST) {
                check(-1, "making folder '{}'", part);
            }
        }
        open_folder(dir_fd_, path);  // throws when a file or link has its place
        last_folder_ = path;
        return {};
    }

    Result<void> make_link(archive_entry* entry, const std::string& path) {
        const char* text = archive_entry_symlink_utf8(entry);
        if (text == nullptr) text = archive_entry_symlink(entry);
        const std::string target = text != nullptr ? text : "";
        if (target.size() > kPathBytes || !link_stays_inside(path, target))
            return refuse(path, "is a link to '{}', which leads out of the release",
                          printable(target));
        const std::size_t slash = path.rfind('/');
        const Fd parent =
            open_folder(dir_fd_, slash == std::string::npos ? "." : path.substr(0, slash));
        const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
        check(::symlinkat(target.c_str(), parent.get(), name.c_str()), "making link '{}'", path);
        return {};
    }

    Result<void> make_file(archive* in, archive_entry* entry, const std::string& path) {
        const Fd out = open_beneath(dir_fd_, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        for (;;) {
            const ssize_t n = archive_read_data(in, chunk_.data(), chunk_.size());
            if (n < 0) return damaged(in);
            if (n == 0) break;
            bytes_ += static_cast<std::uint64_t>(n);
            if (bytes_ > limits_.bytes)
                return fail_at(FailureKind::over_limit, path,
                               "the archive unpacks to more than {} bytes", limits_.bytes);
            write_all(out.get(), {chunk_.data(), static_cast<std::size_t>(n)});
        }
        const bool executable = (archive_entry_perm(entry) & 0111) != 0;
        check(::fchmod(out.get(), executable ? 0755 : 0644), "setting the mode of '{}'", path);
        return {};
    }

    const int dir_fd_;
    const UnpackLimits limits_;
    std::size_t entries_ = 0;
    std::uint64_t bytes_ = 0;
    std::string last_folder_;
    std::vector<char> chunk_ = std::vector<char>(64 * 1024);
};

Reader new_reader() {
    Reader in{archive_read_new()};
    archive_read_support_format_tar(in.get());
    archive_read_support_filter_none(in.get());
    archive_read_support_filter_gzip(in.get());
    archive_read_support_filter_zstd(in.get());
    return in;
}

template <typename Open>
Result<void> unpack_with(Open&& open, int dir_fd, const UnpackLimits& limits) {
    const Reader in = new_reader();
    if (open(in.get()) != ARCHIVE_OK) {
        const char* why = archive_error_string(in.get());
        return fail(FailureKind::invalid, "the archive cannot be read as a tar: {}",
                    printable(why != nullptr ? why : "unknown trouble"));
    }
    return Unpacker{dir_fd, limits}.run(in.get());
}

}  // namespace

Result<void> unpack(int tar_fd, int dir_fd, const UnpackLimits& limits) {
    const auto open = [&](archive* in) { return archive_read_open_fd(in, tar_fd, 64 * 1024); };
    return unpack_with(open, dir_fd, limits);
}

Result<void> unpack(std::string_view tar, int dir_fd, const UnpackLimits& limits) {
    const auto open = [&](archive* in) {
        return archive_read_open_memory(in, tar.data(), tar.size());
    };
    return unpack_with(open, dir_fd, limits);
}

}  // namespace berth
