#include "tests/e2e/file_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace berth::test {
namespace {

constexpr off_t kLargest = 256 << 20;

// File systems that hold files of people; not those the kernel makes up.
bool holds_files(const std::string& type) {
    static const std::set<std::string> kMadeUp{
        "proc", "sysfs",  "cgroup",     "cgroup2", "devpts",   "mqueue",  "debugfs", "tracefs",
        "bpf",  "pstore", "securityfs", "autofs",  "configfs", "fusectl", "nsfs",    "efivarfs"};
    return !kMadeUp.contains(type);
}

}  // namespace

FileWatch::FileWatch(Search search) : search_{std::move(search)} {
    REQUIRE(::unshare(CLONE_NEWNS) == 0);
    REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    events_ = Fd{::fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE,
                                 O_RDONLY | O_CLOEXEC | O_LARGEFILE | O_NOATIME)};
    REQUIRE(events_);
    std::size_t marked = 0;
    std::ifstream mounts{"/proc/self/mounts"};
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words{line};
        std::string from, at, type;
        words >> from >> at >> type;
        if (!holds_files(type)) continue;
        marked += ::fanotify_mark(events_.get(), FAN_MARK_ADD | FAN_MARK_MOUNT,
                                  FAN_MODIFY | FAN_CLOSE_WRITE, AT_FDCWD, at.c_str()) == 0
                      ? 1U
                      : 0U;
    }
    REQUIRE(marked > 0);
    thread_ = std::thread{[this] { watch(); }};
}

const FileWatch::Seen& FileWatch::finish() {
    if (thread_.joinable()) {
        last_ = true;
        thread_.join();
    }
    return seen_;
}

void FileWatch::watch() {
    while (!last_) {
        pollfd events{events_.get(), POLLIN, 0};
        ::poll(&events, 1, 100);
        take_all();
    }
    while (take_all()) {
    }
}

// False when there was nothing.
bool FileWatch::take_all() {
    alignas(fanotify_event_metadata) std::array<char, 8192> buffer{};
    ssize_t left = ::read(events_.get(), buffer.data(), buffer.size());
    if (left <= 0) return false;
    for (const auto* event = reinterpret_cast<const fanotify_event_metadata*>(buffer.data());
         FAN_EVENT_OK(event, left); event = FAN_EVENT_NEXT(event, left))
        if (const Fd file{event->fd}) look_at(file);
    return true;
}

void FileWatch::look_at(const Fd& file) {
    ++seen_.changes;
    std::error_code unknown;
    const auto name =
        std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", file.get()), unknown)
            .string();
    seen_.files.insert(name);
    struct stat info {};
    if (::fstat(file.get(), &info) < 0 || !S_ISREG(info.st_mode)) return;
    std::string content(static_cast<std::size_t>(std::min<off_t>(info.st_size, kLargest)), '\0');
    std::size_t got = 0;
    while (got < content.size()) {
        const auto n = ::pread(file.get(), content.data() + got, content.size() - got,
                               static_cast<off_t>(got));
        if (n <= 0) break;
        got += static_cast<std::size_t>(n);
    }
    content.resize(got);
    seen_.bytes += got;
    if (const auto hits = search_(content); hits > 0) {
        seen_.hits += hits;
        if (seen_.where.size() < 4096) seen_.where += fmt::format("{}: {}\n", name, hits);
    }
}

}  // namespace berth::test
