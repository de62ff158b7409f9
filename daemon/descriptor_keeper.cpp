#include "daemon/descriptor_keeper.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace berth {
namespace {

constexpr int kFirstFd = 3;
constexpr std::size_t kMostOfMessage = 253;  // the kernel's own limit (SCM_MAX_FD)
constexpr std::size_t kMostName = 255;       // as systemd has it
// Of all names, each with a ':'. They are one variable of the environment, and execve(2)
// takes no longer one than 128 KiB: about 8,000 descriptors, or a thousand runs.
constexpr std::size_t kMostNames = 120 * 1024;

Fd bind_socket(const std::string& path, uid_t uid, gid_t gid) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw SystemError{ENAMETOOLONG, fmt::format("binding '{}'", path)};
    path.copy(address.sun_path, path.size());
    // A stale one: that no other supervisor is there, the listening sockets have shown.
    if (::unlink(path.c_str()) < 0 && errno != ENOENT) check(-1, "removing '{}'", path);
    Fd fd{
        check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "making a socket")};
    const mode_t old = ::umask(0177);
    const int rc = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int err = errno;
    ::umask(old);
    if (rc < 0) throw SystemError{err, fmt::format("binding '{}'", path)};
    if (::geteuid() == 0) check(::lchown(path.c_str(), uid, gid), "giving away '{}'", path);
    return fd;
}

std::vector<Fd> take_descriptors(msghdr& message) {
    std::vector<Fd> fds;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

}  // namespace

DescriptorKeeper::DescriptorKeeper(Loop& loop, const std::filesystem::path& socket, uid_t uid,
                                   gid_t gid)
    : path_{socket.string()},
      socket_{bind_socket(path_, uid, gid)},
      poll_{loop, socket_.get(), [this](int) { read_all(); }} {
    poll_.want(Poll::readable);
}

DescriptorKeeper::~DescriptorKeeper() { ::unlink(path_.c_str()); }

ChildOptions DescriptorKeeper::with_kept(ChildOptions options) {
    read_all();  // what its last process said shortly before its end
    std::string names;
    for (std::size_t i = 0; i < options.fds.size(); ++i)
        names += "listen:";
    for (const auto& [name, fd] : kept_) {
        names += name + ":";
        options.fds.emplace_back(fd.get(), kFirstFd + static_cast<int>(options.fds.size()));
    }
    if (!names.empty()) names.pop_back();
    options.env.push_back("NOTIFY_SOCKET=" + path_);
    options.env.push_back(fmt::format("LISTEN_FDS={}", options.fds.size()));
    options.env.push_back("LISTEN_FDNAMES=" + names);
    return options;
}

void DescriptorKeeper::read_all() {
    while (read_one()) {
    }
}

bool DescriptorKeeper::read_one() {
    std::array<char, 1024> text{};
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostOfMessage * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) return errno == EINTR;
    auto fds = take_descriptors(message);
    const std::string_view said{text.data(), static_cast<std::size_t>(n)};
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        log_error("a message of berth-runner is not kept: no more descriptors; raise LimitNOFILE=",
                  {{"message", printable(said)}});
    else
        obey(said, std::move(fds));
    return true;
}

void DescriptorKeeper::obey(std::string_view text, std::vector<Fd> fds) {
    std::string name;
    bool keep = false, remove = false;
    for (const auto& line : split(text, '\n')) {
        if (line == "FDSTORE=1") keep = true;
        if (line == "FDSTOREREMOVE=1") remove = true;
        if (line.starts_with("FDNAME=")) name = line.substr(7);
    }
    // It becomes a part of a variable of the environment.
    const bool good = !name.empty() && name.size() <= kMostName &&
                      name.find_first_of(std::string_view{":\0", 2}) == std::string::npos;
    if (!good) return;
    if (remove) names_bytes_ -= kept_.erase(name) * (name.size() + 1);
    if (!keep) return;
    const std::size_t bytes = fds.size() * (name.size() + 1);
    if (names_bytes_ + bytes > kMostNames)
        return log_warning("too many descriptors are kept, more are not", {{"name", name}});
    names_bytes_ += bytes;
    for (Fd& fd : fds)
        kept_.emplace(name, std::move(fd));
}

}  // namespace berth
