#include "sandbox/egress/dial.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "model/limits.h"

namespace berth::egress {

Dial::Dial(Loop& loop, std::vector<Address> addresses, std::uint16_t port,
           Callback<void(Dialled)> done)
    : loop_{loop},
      addresses_{std::move(addresses)},
      port_{port},
      done_{std::move(done)},
      too_long_{loop, [this] { failed(ETIMEDOUT); }} {
    if (addresses_.size() > limits::kEgressAddresses) addresses_.resize(limits::kEgressAddresses);
    loop_.later([this, alive = alive_] {
        if (*alive) try_next();
    });
}

Dial::~Dial() { *alive_ = false; }

void Dial::try_next() {
    poll_.reset();
    socket_.reset();
    too_long_.stop();
    if (next_ == addresses_.size()) {
        const Address last = addresses_.empty() ? Address{} : addresses_.back();
        return done_({{}, last, std::move(why_)});
    }
    sockaddr_storage to{};
    const Address& address = addresses_[next_++];
    const socklen_t size = address.to_sockaddr(port_, to);
    socket_.reset(::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return failed(errno);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), size) < 0 &&
        errno != EINPROGRESS)
        return failed(errno);
    too_long_.start(limits::kEgressConnectTime);
    poll_.emplace(loop_, socket_.get(), [this](int) { answered(); });
    poll_->want(Poll::writable);
}

void Dial::answered() {
    int err = 0;
    socklen_t size = sizeof err;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &err, &size) < 0) err = errno;
    if (err != 0) return failed(err);
    poll_.reset();
    too_long_.stop();
    done_({std::move(socket_), addresses_[next_ - 1], {}});
}

void Dial::failed(int err) {
    why_ = std::generic_category().message(err);
    try_next();
}

}  // namespace berth::egress
