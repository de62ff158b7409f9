// A run that minds its own business: has a secret, memory, files, sockets, queues
// and a lock, says where they are, and lives until its input ends.
//   victim NAME FOLDER RELEASE
#include "tests/isolation/victim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <iostream>

namespace {

using namespace berth::neighbours;

char g_secret[64];

int bound(int type) {
    const int fd = ::socket(AF_INET, type, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    if (type == SOCK_STREAM) ::listen(fd, 8);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

void listen_at(const char* name, std::size_t size) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name, size);
    ::bind(fd, reinterpret_cast<sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
    ::listen(fd, 8);
}

void leave_things(Victim& self) {
    self.shared_memory = ::shmget(IPC_PRIVATE, 4096, 0600);
    std::strcpy(static_cast<char*>(::shmat(self.shared_memory, nullptr, 0)), kSecret);
    self.queue = ::msgget(IPC_PRIVATE, 0600);
    self.semaphores = ::semget(IPC_PRIVATE, 1, 0600);
    const int shared = ::shm_open(("/" + self.name).c_str(), O_RDWR | O_CREAT, 0600);
    (void)::ftruncate(shared, 4096);
    mq_attr attr{};
    attr.mq_maxmsg = 1;
    attr.mq_msgsize = 64;
    ::mq_open(("/" + self.name).c_str(), O_RDWR | O_CREAT, 0600, &attr);
    std::ofstream{self.folder + "/secret"} << kSecret;
    ::chmod((self.folder + "/secret").c_str(), 0600);
    ::syscall(SYS_add_key, "user", kKeyName, kSecret, std::strlen(kSecret), KEY_SPEC_USER_KEYRING);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    ::alarm(900);
    // A kernel that lets only parents trace shall not be what stops the control.
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    std::strcpy(g_secret, kSecret);
    Victim self;
    self.pid = ::getpid();
    self.uid = ::getuid();
    self.address = reinterpret_cast<std::uintptr_t>(g_secret);
    self.name = argv[1];
    self.folder = argv[2];
    self.tcp = bound(SOCK_STREAM);
    self.udp = bound(SOCK_DGRAM);
    leave_things(self);
    const std::string abstract = '\0' + self.name;
    listen_at(abstract.data(), abstract.size());
    const std::string path = self.folder + "/socket";
    listen_at(path.c_str(), path.size() + 1);
    ::flock(::open((std::string{argv[3]} + "/shared").c_str(), O_RDONLY), LOCK_EX);
    std::cout << self << std::flush;

    char byte;
    while (::read(0, &byte, 1) > 0) {
    }
    ::shmctl(self.shared_memory, IPC_RMID, nullptr);
    ::msgctl(self.queue, IPC_RMID, nullptr);
    ::semctl(self.semaphores, 0, IPC_RMID);
    ::shm_unlink(("/" + self.name).c_str());
    ::mq_unlink(("/" + self.name).c_str());
}
