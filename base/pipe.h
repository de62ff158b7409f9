// Pairs of descriptors, close-on-exec from birth.
#pragma once

#include "base/fd.h"

namespace berth {

struct Pipe {
    Fd read;
    Fd write;
};
// A pipe(7) whose two ends are close-on-exec. Throws SystemError.
Pipe make_pipe();

struct SocketPair {
    Fd a;
    Fd b;
};
// A connected pair of AF_UNIX SOCK_SEQPACKET sockets. Throws SystemError.
SocketPair make_seqpacket_pair();

enum class Blocking { no, yes };
// Throws SystemError.
void set_blocking(int fd, Blocking blocking);

}  // namespace berth
