// What can be seen and written of files, and of other processes by theirs.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sandbox/probe.h"

namespace probe {
namespace {

std::string content(const std::string& path) {
    std::string all;
    const int fd = ::open(path.c_str(), O_RDONLY);
    if (fd < 0) return all;
    char part[65536];
    for (ssize_t n; (n = ::read(fd, part, sizeof part)) > 0;)
        all.append(part, static_cast<std::size_t>(n));
    ::close(fd);
    return all;
}

template <typename Each>
void each_entry(const std::string& folder, Each each) {
    DIR* dir = ::opendir(folder.c_str());
    if (dir == nullptr) return;
    while (const dirent* entry = ::readdir(dir)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") each(name, ::dirfd(dir));
    }
    ::closedir(dir);
}

void act_write(const std::string& path) { said(::open(path.c_str(), O_WRONLY | O_CREAT, 0600)); }

void act_overwrite(const std::string& path) { said(::open(path.c_str(), O_WRONLY)); }

void act_read(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY);
    if (fd < 0) return said(-1);
    ::close(fd);
    const std::string all = content(path);
    std::fwrite(all.data(), 1, all.size(), stdout);
}

void act_fds() {
    each_entry("/proc/self/fd", [](const std::string& name, int own) {
        if (name == std::to_string(own)) return;
        char target[256];
        const std::string path = "/proc/self/fd/" + name;
        const ssize_t n = ::readlink(path.c_str(), target, sizeof target);
        std::printf("%s %.*s\n", name.c_str(), static_cast<int>(n < 0 ? 0 : n), target);
    });
}

// `type name` for each entry.
void act_list(const std::string& folder) {
    each_entry(folder, [](const std::string& name, int at) {
        struct stat status {};
        ::fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW);
        const char type = S_ISCHR(status.st_mode)   ? 'c'
                          : S_ISBLK(status.st_mode) ? 'b'
                          : S_ISDIR(status.st_mode) ? 'd'
                          : S_ISLNK(status.st_mode) ? 'l'
                                                    : 'f';
        std::printf("%c %s\n", type, name.c_str());
    });
}

// Every file below that could be opened for writing, and how many were tried.
int writable_below(const std::string& folder, int& tried) {
    int found = 0;
    each_entry(folder, [&](const std::string& name, int) {
        const std::string path = folder + "/" + name;
        struct stat status {};
        if (::lstat(path.c_str(), &status) < 0) return;
        if (S_ISDIR(status.st_mode)) {
            found += writable_below(path, tried);
            return;
        }
        ++tried;
        if (::open(path.c_str(), O_WRONLY | O_NONBLOCK) < 0) return;
        ++found;
        std::printf("%s\n", path.c_str());
    });
    return found;
}

void act_writable(const std::string& folder) {
    int tried = 0;
    const int found = writable_below(folder, tried);
    std::printf("%d of %s\n", found, tried > 0 ? "some" : "none");
}

// What of other processes can be read.
void act_processes() {
    each_entry("/proc", [](const std::string& name, int) {
        if (name.find_first_not_of("0123456789") != std::string::npos) return;
        const std::string environment = content("/proc/" + name + "/environ");
        std::printf("%s %zu\n", name == std::to_string(::getpid()) ? "self" : name.c_str(),
                    environment.size());
        if (name != std::to_string(::getpid())) std::printf("%s\n", environment.c_str());
    });
}

void act_fill(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
    static char block[65536];
    std::memset(block, 'x', sizeof block);
    std::size_t total = 0;
    for (ssize_t n; (n = ::write(fd, block, sizeof block)) > 0;)
        total += static_cast<std::size_t>(n);
    std::printf("%s %zu\n", ::strerrorname_np(errno), total);
}

void act_make_files(const std::string& folder) {
    int count = 0;
    for (;; ++count) {
        const int fd =
            ::open((folder + "/" + std::to_string(count)).c_str(), O_WRONLY | O_CREAT, 0600);
        if (fd < 0) break;
        ::close(fd);
    }
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

void act_open_files() {
    int count = 0;
    while (::open("/dev/null", O_RDONLY) >= 0)
        ++count;
    std::printf("%d %s\n", count, ::strerrorname_np(errno));
}

}  // namespace

std::optional<int> act_on_files(const Words& words) {
    const std::string act = words[0];
    if (act == "write") return act_write(words[1]), 0;
    if (act == "overwrite") return act_overwrite(words[1]), 0;
    if (act == "read") return act_read(words[1]), 0;
    if (act == "fds") return act_fds(), 0;
    if (act == "list") return act_list(words[1]), 0;
    if (act == "writable") return act_writable(words[1]), 0;
    if (act == "processes") return act_processes(), 0;
    if (act == "fill") return act_fill(words[1]), 0;
    if (act == "make-files") return act_make_files(words[1]), 0;
    if (act == "open-files") return act_open_files(), 0;
    return {};
}

}  // namespace probe
