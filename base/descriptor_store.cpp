#include "base/descriptor_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/text.h"

namespace berth {
namespace {

constexpr int kFirstInherited = 3;
constexpr timeval kSendTime{5, 0};  // a manager that does not read must not stop us for ever

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::string_view text_of(int err) { return std::strerror(err); }

}  // namespace

DescriptorStore::DescriptorStore(Fd manager) : manager_{std::move(manager)} {
    (void)::setsockopt(manager_.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendTime, sizeof kSendTime);
}

DescriptorStore DescriptorStore::from_environment() {
    const std::string path = variable("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) return {};
    path.copy(address.sun_path, path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract one
    Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (!socket || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) < 0) {
        log_warning("the service manager cannot be reached, nothing outlives this process",
                    {{"socket", path}, {"why", text_of(errno)}});
        return {};
    }
    return DescriptorStore{std::move(socket)};
}

bool DescriptorStore::keep(const std::string& name, std::span<const int> fds) const {
    if (!manager_) return false;
    // FDPOLL=0: the other end may hang up, which is for us to read.
    const int err = tell(fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name), fds);
    if (err != 0)
        log_warning("the service manager did not keep descriptors for the next process",
                    {{"name", name}, {"why", text_of(err)}});
    return err == 0;
}

void DescriptorStore::remove(const std::string& name) const {
    if (!manager_) return;
    if (const int err = tell(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name), {}); err != 0)
        log_warning("the service manager still keeps descriptors that nobody needs, ignoring",
                    {{"name", name}, {"why", text_of(err)}});
}

int DescriptorStore::tell(const std::string& text, std::span<const int> fds) const {
    iovec part{const_cast<char*>(text.data()), text.size()};
    std::vector<char> control(fds.empty() ? 0 : CMSG_SPACE(fds.size_bytes()));
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(manager_.get(), &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

DescriptorStore::Kept DescriptorStore::inherited(const std::string& prefix) {
    Kept kept;
    // systemd says for whom they are; they are not for what an ancestor of ours was.
    const auto pid = variable("LISTEN_PID");
    if (!pid.empty() && to_number<pid_t>(pid) != ::getpid()) return kept;
    const auto count = to_number<int>(variable("LISTEN_FDS")).value_or(0);
    int fd = kFirstInherited;
    for (const auto& name : split(variable("LISTEN_FDNAMES"), ':')) {
        if (fd - kFirstInherited >= count) break;
        if (name.starts_with(prefix) && ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
            kept[name].emplace_back(fd);
        ++fd;
    }
    return kept;
}

}  // namespace berth
