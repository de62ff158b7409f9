#include "bench/echo.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/pipe.h"

namespace berth::bench {

Echo::Echo() {
    auto pair = make_seqpacket_pair();
    pid_ = check(::fork(), "forking an echo");
    if (pid_ == 0) {
        pair.a.reset();
        char byte;
        while (::recv(pair.b.get(), &byte, 1, 0) == 1)
            if (::send(pair.b.get(), &byte, 1, MSG_NOSIGNAL) != 1) break;
        ::_exit(0);
    }
    ours_ = std::move(pair.a);
}

Echo::~Echo() {
    ours_.reset();
    ::waitpid(pid_, nullptr, 0);
}

Times Echo::there_and_back() {
    const auto begin = Steady::now();
    char byte = 'x';
    check(::send(ours_.get(), &byte, 1, MSG_NOSIGNAL), "sending a byte");
    await_readable(ours_.get(), "an echo");
    check(::recv(ours_.get(), &byte, 1, 0), "receiving a byte");
    const auto took = Steady::now() - begin;
    return {.first_byte = took, .end = took};
}

}  // namespace berth::bench
