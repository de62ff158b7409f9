#include "base/pipe.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/error.h"

namespace berth {

Pipe make_pipe() {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC), "making a pipe");
    return {Fd{ends[0]}, Fd{ends[1]}};
}

SocketPair make_seqpacket_pair() {
    int ends[2];
    check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "making a socket pair");
    return {Fd{ends[0]}, Fd{ends[1]}};
}

void set_blocking(int fd, Blocking blocking) {
    const int flags = check(::fcntl(fd, F_GETFL), "reading descriptor flags");
    const int wanted = blocking == Blocking::yes ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    check(::fcntl(fd, F_SETFL, wanted), "setting descriptor flags");
}

}  // namespace berth
