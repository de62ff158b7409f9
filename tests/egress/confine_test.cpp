// What berth-egress has denied itself: each act in a process of its own, confined and, as
// the control, not.
#include "sandbox/egress/confine.h"

#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <string>
#include <thread>

#include "base/file.h"
#include "sandbox/egress/own_addresses.h"

namespace {

using Act = int (*)();  // 0, or errno

int errno_of(long result) { return result < 0 ? errno : 0; }

enum class Confined { no, yes };

// What became of it in a child: its errno.
int done(Act act, Confined confined) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (confined == Confined::yes) {
            ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            berth::egress::confine();
        }
        ::_exit(act());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int execute() {
    char path[] = "/bin/true";
    char* const argv[] = {path, nullptr};
    ::execv(path, argv);
    return errno;
}
[[maybe_unused]] int fork_off() {
    return errno_of(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0));
}
int open_to_write() { return errno_of(::open("/dev/null", O_WRONLY | O_CLOEXEC)); }
int make_file() {
    const int fd = ::open("/dev/shm/berth-confine", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) ::unlink("/dev/shm/berth-confine");
    return errno_of(fd);
}
int look_at_process() { return errno_of(::syscall(SYS_pidfd_open, ::getppid(), 0)); }
int leave_namespace() { return errno_of(::unshare(CLONE_NEWNS)); }
int signal_others() { return errno_of(::kill(::getppid(), 0)); }
int packet_socket() { return errno_of(::socket(AF_PACKET, SOCK_RAW, 0)); }
int listen_somewhere() { return errno_of(::listen(::socket(AF_INET, SOCK_STREAM, 0), 1)); }
int change_limits() {
    const rlimit none{0, 0};
    return errno_of(::setrlimit(RLIMIT_NOFILE, &none));
}

struct Forbidden {
    const char* name;
    Act act;
};
const Forbidden kForbidden[] = {
    {"execute a program", execute},
    {"open to write", open_to_write},
    {"make a file", make_file},
    {"look at a process", look_at_process},
    {"leave a namespace", leave_namespace},
    {"signal others", signal_others},
    {"a packet socket", packet_socket},
    {"listen", listen_somewhere},
    {"change limits", change_limits},
#if !defined(__SANITIZE_ADDRESS__)  // whose leak check may
    {"fork", fork_off},
#endif
};

// All that it is for.
int serve() {
    if (berth::egress::own_addresses().empty()) return ENODATA;
    int number = 0;
    std::thread{[&number] {
        addrinfo* found = nullptr;
        if (::getaddrinfo("localhost", nullptr, nullptr, &found) == 0) number = 7;
        ::freeaddrinfo(found);
    }}.join();
    if (number != 7) return ESRCH;
    std::ifstream status{"/proc/self/status"};
    std::string text{std::istreambuf_iterator<char>{status}, {}};
    return text.find("Seccomp:\t2") != std::string::npos ? 0 : EINVAL;
}

}  // namespace

TEST_CASE("berth-egress denies itself what it is not for", "[egress]") {
    for (const Forbidden& one : kForbidden) {
        INFO(one.name);
        CHECK(done(one.act, Confined::yes) == EPERM);
        if (::geteuid() == 0) CHECK(done(one.act, Confined::no) == 0);  // some need rights
    }
}

TEST_CASE("confined, it finds names in a thread, and the host's addresses", "[egress]") {
    CHECK(done(serve, Confined::yes) == 0);
    CHECK(done(serve, Confined::no) == EINVAL);  // the control: the filter is what it looks for
}
