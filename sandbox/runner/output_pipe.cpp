#include "sandbox/runner/output_pipe.h"

#include <array>
#include <cerrno>
#include <utility>

#include "base/pipe.h"
#include "base/secret.h"
#include "model/limits.h"

namespace berth::runner {

OutputPipe::OutputPipe(Loop& loop, Fd read_end, Events events)
    : fd_{std::move(read_end)}, events_{std::move(events)} {
    set_blocking(fd_.get(), Blocking::no);
    poll_.emplace(loop, fd_.get(), [this](int) { ready(); });
    resume();
}

void OutputPipe::wait_for(Wanted wanted) {
    if (poll_) poll_->want(wanted == Wanted::yes ? Poll::readable : 0);
}

OutputPipe::Got OutputPipe::read_once() {
    thread_local std::array<char, limits::kLogChunkBytes> buffer;
    ssize_t n = 0;
    do {
        n = ::read(fd_.get(), buffer.data(), buffer.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Got::nothing;
    if (n <= 0) return Got::end;
    const auto size = static_cast<std::size_t>(n);
    events_.on_bytes({buffer.data(), size});
    cleanse(buffer.data(), size);  // not masked yet: it may hold a secret
    return Got::bytes;
}

// One read a turn, so that a script that floods does not hold up the others.
void OutputPipe::ready() {
    if (read_once() != Got::end) return;
    close();
    events_.on_end();
}

void OutputPipe::close() {
    poll_.reset();  // first: it must not outlive the descriptor's number
    fd_.reset();
}

void OutputPipe::cut() {
    if (!fd_) return;
    // A pipe holds 64 KiB, or up to 1 MiB when the script has asked for it; past
    // that, a writer that was left behind is feeding it.
    std::size_t reads = limits::MiB / limits::kLogChunkBytes + 1;
    while (reads-- > 0 && read_once() == Got::bytes) {
    }
    close();
}

}  // namespace berth::runner
