#include "sandbox/runner/left_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace berth::runner {
namespace {

// Takes the one out of `fds` that `wanted` says is it.
template <typename Wanted>
Fd take_if(std::vector<Fd>& fds, Wanted wanted) {
    for (auto fd = fds.begin(); fd != fds.end(); ++fd)
        if (wanted(*fd)) {
            Fd found = std::move(*fd);
            fds.erase(fd);
            return found;
        }
    return {};
}

mode_t kind_of(const Fd& fd) {
    struct stat facts {};
    check(::fstat(fd.get(), &facts), "looking at a descriptor of a run");
    return facts.st_mode & S_IFMT;
}

// A copy, since reading takes what it reads from.
std::optional<SavedRun::Read> read_state(const Fd& fd) {
    if (kind_of(fd) != S_IFREG) return {};
    return SavedRun::read(Fd{check(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0), "copying a descriptor")});
}

}  // namespace

std::string stored_name(const RunKey& run) {
    return fmt::format("{}{}-{}", kStoredPrefix, run.run_id, run.attempt);
}

std::optional<RunKey> parse_stored_name(std::string_view name) {
    const std::string_view prefix{kStoredPrefix};
    if (!name.starts_with(prefix)) return {};
    name.remove_prefix(prefix.size());
    const auto dash = name.find('-');
    if (dash == std::string_view::npos) return {};
    const auto run = to_number<std::int64_t>(name.substr(0, dash));
    const auto attempt = to_number<std::int32_t>(name.substr(dash + 1));
    if (!run || !attempt) return {};
    return RunKey{*run, *attempt};
}

FileId file_id(int fd) {
    if (fd < 0) return {};
    struct stat facts {};
    check(::fstat(fd, &facts), "looking at a descriptor of a run");
    return {facts.st_dev, facts.st_ino};
}

std::optional<LeftRun> sort_left_run(RunKey key, std::vector<Fd> fds) {
    std::optional<SavedRun::Read> read;
    const Fd state =
        take_if(fds, [&](const Fd& fd) { return (read = read_state(fd)).has_value(); });
    if (!read || RunKey{read->facts.started.run_id, read->facts.started.attempt} != key) return {};
    const auto take = [&](const FileId& id) {
        return take_if(fds, [&](const Fd& fd) { return file_id(fd.get()) == id; });
    };
    Fd status = take(read->facts.status);
    Fd out = take(read->facts.out);
    Fd err = take(read->facts.err);
    Fd cgroup = take(read->facts.cgroup);
    // What is left are sockets that listen, and the pidfd, whose inode is not its own
    // everywhere.
    Fd pidfd = take_if(fds, [](const Fd& fd) { return kind_of(fd) != S_IFSOCK; });
    const bool all = status && out && err && pidfd && (cgroup || read->facts.cgroup == FileId{});
    if (!all) return {};
    return LeftRun{key,
                   std::move(*read),
                   std::move(status),
                   std::move(pidfd),
                   std::move(out),
                   std::move(err),
                   std::move(cgroup),
                   std::move(fds)};
}

}  // namespace berth::runner
