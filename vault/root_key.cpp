#include "vault/root_key.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/crypto.h"
#include "base/fd.h"
#include "base/file.h"

namespace berth::vault {
namespace {

namespace fs = std::filesystem;

bool same_file(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Compared by device and inode: another spelling or a link does not help.
bool lies_below(const fs::path& file, const fs::path& directory) {
    struct stat top {};
    if (::stat(directory.c_str(), &top) < 0) return false;  // not made yet: nothing is in it
    fs::path folder = fs::canonical(file).parent_path();
    for (;; folder = folder.parent_path()) {
        struct stat here {};
        check(::stat(folder.c_str(), &here), "looking at '{}'", folder.string());
        if (same_file(here, top)) return true;
        if (folder == folder.parent_path()) return false;
    }
}

tl::unexpected<Failure> refuse(const fs::path& path, FailureKind kind, std::string_view why) {
    return fail_at(kind, path.string(), "cannot use root key file '{}': {}", path.string(), why);
}

struct Opened {
    Fd fd;
    struct stat info {};
};

Result<Opened> open_regular(const fs::path& path) {
    using enum FailureKind;
    // O_NONBLOCK: opening a fifo would wait for its writer.
    Opened opened;
    opened.fd.reset(
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (!opened.fd) {
        switch (errno) {
            case ENOENT:
            case ENOTDIR: return refuse(path, not_found, "there is none; 'berth init' makes one");
            case ELOOP: return refuse(path, denied, "it is a symbolic link; name the file itself");
            case EACCES:
            case EPERM:
                return refuse(path, denied, "it may not be read; give it to the runner's user");
            case ENXIO: return refuse(path, denied, "it is not a regular file");
            default: check(-1, "opening root key file '{}'", path.string());
        }
    }
    check(::fstat(opened.fd.get(), &opened.info), "looking at '{}'", path.string());
    if (!S_ISREG(opened.info.st_mode)) return refuse(path, denied, "it is not a regular file");
    return opened;
}

Result<void> check_size(const fs::path& path, const struct stat& info) {
    if (info.st_size == static_cast<off_t>(kKeyBytes)) return {};
    return refuse(path, FailureKind::invalid,
                  fmt::format("it has {} bytes and a root key has {}", info.st_size, kKeyBytes));
}

Result<RootKey> read_key(const fs::path& path, const Fd& fd) {
    using enum FailureKind;
    Secret bytes = Secret::of_size(kKeyBytes);
    const ssize_t got =
        check(::read(fd.get(), bytes.data(), bytes.size()), "reading '{}'", path.string());
    if (got != static_cast<ssize_t>(kKeyBytes))
        return refuse(path, invalid, "it became shorter while it was read");
    const auto is_first = [&](unsigned char byte) { return byte == bytes.data()[0]; };
    if (std::all_of(bytes.data(), bytes.data() + bytes.size(), is_first))
        return refuse(path, invalid, "all its bytes are the same; 'berth init' makes a random one");
    return make_root_key(std::move(bytes));
}

}  // namespace

Result<void> make_root_key_file(const fs::path& path) {
    const Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400)};
    if (!fd && errno == EEXIST)
        return fail_at(FailureKind::conflict, path.string(),
                       "there is already a root key file '{}', and what it has sealed can be "
                       "opened with nothing else; choose another path",
                       path.string());
    check(fd.get(), "creating root key file '{}'", path.string());
    check(::fchmod(fd.get(), 0400), "setting the mode of '{}'", path.string());
    std::string bytes = random_bytes(kKeyBytes);
    write_all(fd.get(), bytes);
    cleanse(bytes.data(), bytes.size());
    check(::fsync(fd.get()), "syncing '{}'", path.string());
    const auto parent = path.has_parent_path() ? path.parent_path() : fs::path{"."};
    const Fd dir{check(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "opening '{}'",
                       parent.string())};
    check(::fsync(dir.get()), "syncing '{}'", parent.string());
    return {};
}

Result<RootKey> load_root_key(const fs::path& path, uid_t expected_uid, const fs::path& state_dir) {
    using enum FailureKind;
    const auto opened = open_regular(path);
    if (!opened) return tl::unexpected<Failure>{opened.error()};
    const auto& [fd, info] = *opened;
    if (info.st_uid != expected_uid)
        return refuse(
            path, denied,
            fmt::format("it belongs to user {}; do 'chown {}' on it", info.st_uid, expected_uid));
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return refuse(path, denied,
                      fmt::format("its mode is {:04o}, so that others may use it; do 'chmod 0400' "
                                  "on it",
                                  info.st_mode & 07777));
    if (info.st_nlink != 1)
        return refuse(path, denied, "it has a second name (a hard link); remove the other one");
    if (auto right = check_size(path, info); !right) return pass_on(right);
    if (lies_below(path, state_dir))
        return refuse(path, denied,
                      fmt::format("it lies in the state directory '{}', where a stolen copy of the "
                                  "database would have its key along; move it elsewhere",
                                  state_dir.string()));

    return read_key(path, fd);
}

Result<RootKey> load_root_key_credential(const fs::path& path, uid_t own_uid) {
    using enum FailureKind;
    const auto opened = open_regular(path);
    if (!opened) return tl::unexpected<Failure>{opened.error()};
    const auto& [fd, info] = *opened;
    if (info.st_uid != 0 && info.st_uid != own_uid)
        return refuse(path, denied, fmt::format("it belongs to user {}", info.st_uid));
    // Not of the group: where systemd gives it by an access list, its mask is shown there.
    if ((info.st_mode & S_IRWXO) != 0)
        return refuse(path, denied, "its mode lets every user of this host read it");
    if (auto right = check_size(path, info); !right) return pass_on(right);
    return read_key(path, fd);
}

}  // namespace berth::vault
