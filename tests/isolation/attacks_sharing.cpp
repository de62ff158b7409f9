// Attacks by what two runs might have in common: memory, queues, files, sockets,
// keys.
#include <arpa/inet.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/isolation/attacker.h"

namespace berth::neighbours {
namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int reach_tcp(const Victim& victim) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in to = loopback(victim.tcp);
    return outcome(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to));
}

// A datagram to a port that nobody has comes back as an error.
int reach_udp(const Victim& victim) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_in to = loopback(victim.udp);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0) return errno;
    if (::send(fd, "x", 1, 0) < 0) return errno;
    int err = 0;
    socklen_t size = sizeof err;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
    return err;
}

// Whoever shares the loopback cannot have the port: that too tells.
int notice_port(const Victim& victim) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in here = loopback(victim.tcp);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) < 0 ? 0 : ENOENT;
}

int connect_unix(const std::string& name) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    name.copy(to.sun_path, sizeof to.sun_path);
    const auto size = offsetof(sockaddr_un, sun_path) + name.size();
    return outcome(
        ::connect(fd, reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(size)));
}

int find_socket(const Victim& victim) {
    return content("/proc/net/unix").find(victim.name) != std::string::npos ? 0 : ENOENT;
}

int attach_memory(const Victim& victim) {
    const void* memory = ::shmat(victim.shared_memory, nullptr, SHM_RDONLY);
    if (memory == reinterpret_cast<void*>(-1)) return errno;
    return std::strcmp(static_cast<const char*>(memory), kSecret) == 0 ? 0 : ENODATA;
}

int fill_queue(const Victim& victim) {
    const struct {
        long type;
        char text;
    } message{1, 'x'};
    return outcome(::msgsnd(victim.queue, &message, 1, IPC_NOWAIT));
}

int find_lock(const Victim& victim) {
    const std::string pid = " " + std::to_string(victim.pid) + " ";
    return content("/proc/locks").find(pid) != std::string::npos ? 0 : ENOENT;
}

int find_key(const Victim&) {
    return outcome(
        ::syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", kKeyName, 0));
}

int read_file(const Victim& victim) { return can_open(victim.folder + "/secret", O_RDONLY); }

int list_folder(const Victim& victim) {
    if (const int err = can_open(victim.folder, O_RDONLY | O_DIRECTORY); err != 0) return err;
    return outcome(::faccessat(AT_FDCWD, (victim.folder + "/socket").c_str(), F_OK, 0));
}

constexpr Attack kAttacks[] = {
    {"attach its shared memory", attach_memory},
    {"write into its queue", fill_queue},
    {"count its semaphore up",
     [](const Victim& v) {
         sembuf up{0, 1, IPC_NOWAIT};
         return outcome(::semop(v.semaphores, &up, 1));
     }},
    {"open its POSIX shared memory",
     [](const Victim& v) { return outcome(::shm_open(("/" + v.name).c_str(), O_RDWR, 0)); }},
    {"open its POSIX queue",
     [](const Victim& v) { return outcome(::mq_open(("/" + v.name).c_str(), O_RDWR)); }},
    {"see its temporary files", list_folder},
    {"read its temporary file", read_file},
    {"overwrite its temporary file",
     [](const Victim& v) { return can_open(v.folder + "/secret", O_WRONLY); }},
    {"reach its socket by path",
     [](const Victim& v) { return connect_unix(v.folder + "/socket" + '\0'); }},
    {"reach its abstract socket", [](const Victim& v) { return connect_unix('\0' + v.name); }},
    {"find its socket in a list", find_socket},
    {"reach its port", reach_tcp},
    {"reach its datagram port", reach_udp},
    {"notice that its port is taken", notice_port},
    {"find its key in a keyring", find_key},
    {"find its lock in a list", find_lock},
};

}  // namespace

std::span<const Attack> sharing_attacks() { return kAttacks; }

}  // namespace berth::neighbours
