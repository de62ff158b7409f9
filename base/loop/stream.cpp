#include "base/loop/stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <utility>

#include "base/loop/uv_error.h"
#include "base/pipe.h"
#include "base/secret.h"

namespace berth {
namespace {

sockaddr_un address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& text = path.native();
    if (text.size() >= sizeof address.sun_path)
        throw SystemError{ENAMETOOLONG,
                          fmt::format("using socket path '{}' (at most {} bytes; choose a shorter "
                                      "run directory)",
                                      text, sizeof address.sun_path - 1)};
    std::memcpy(address.sun_path, text.data(), text.size());
    return address;
}

struct WriteRequest {
    uv_write_t uv;
    std::string bytes;
    Callback<void(bool)> done;
    std::shared_ptr<bool> alive;
};

}  // namespace

Stream::Stream(Loop& loop, Fd connected) {
    auto handle = std::make_unique<Handle>();
    check_uv(uv_pipe_init(loop.raw(), &handle->uv, /*ipc=*/0), "making a stream");
    handle->uv.data = handle.get();
    handle->alive = alive_;
    handle_.reset(handle.release());
    set_blocking(connected.get(), Blocking::no);
    check_uv(uv_pipe_open(&handle_->uv, connected.get()), "opening a stream");
    (void)connected.release();  // libuv closes it
}

void Stream::read(std::function<void(std::string_view)> on_bytes) {
    handle_->on_bytes = std::move(on_bytes);
    resume();
}

void Stream::pause() { uv_read_stop(reinterpret_cast<uv_stream_t*>(&handle_->uv)); }

void Stream::resume() {
    if (!handle_->on_bytes) return;
    const auto alloc = [](uv_handle_t*, std::size_t, uv_buf_t* buf) noexcept {
        // One buffer for all streams of the thread: it is read out before the next.
        thread_local char shared[64 * 1024];
        *buf = uv_buf_init(shared, sizeof shared);
    };
    const auto got = [](uv_stream_t* uv, ssize_t n, const uv_buf_t* buf) noexcept {
        auto* handle = static_cast<Handle*>(uv->data);
        if (n == 0) return;
        if (n < 0) uv_read_stop(uv);
        // The callback may destroy the stream, and with it itself: run a copy.
        const auto on_bytes = handle->on_bytes;
        if (*handle->alive)
            on_bytes(n < 0 ? std::string_view{}
                           : std::string_view{buf->base, static_cast<std::size_t>(n)});
        if (n > 0) cleanse(buf->base, static_cast<std::size_t>(n));  // there may be secrets in it
    };
    const int rc = uv_read_start(reinterpret_cast<uv_stream_t*>(&handle_->uv), alloc, got);
    if (rc != UV_EALREADY) check_uv(rc, "reading a stream");
}

void Stream::write(std::string bytes, Callback<void(bool)> done) {
    auto request = std::make_unique<WriteRequest>();
    request->uv.data = request.get();
    request->bytes = std::move(bytes);
    request->done = std::move(done);
    request->alive = alive_;
    const auto buf =
        uv_buf_init(request->bytes.data(), static_cast<unsigned>(request->bytes.size()));
    const auto written = [](uv_write_t* uv, int status) noexcept {
        const std::unique_ptr<WriteRequest> held{static_cast<WriteRequest*>(uv->data)};
        if (*held->alive && held->done) held->done(status == 0);
    };
    check_uv(uv_write(&request->uv, reinterpret_cast<uv_stream_t*>(&handle_->uv), &buf, 1, written),
             "writing to a stream");
    (void)request.release();  // freed by `written`
}

void Stream::end_writing() {
    auto request = std::make_unique<uv_shutdown_t>();
    const auto ended = [](uv_shutdown_t* uv, int) noexcept { delete uv; };
    const int rc = uv_shutdown(request.get(), reinterpret_cast<uv_stream_t*>(&handle_->uv), ended);
    if (rc == UV_ENOTCONN) return;  // ended or broken before
    check_uv(rc, "ending a stream");
    (void)request.release();  // freed by `ended`
}

std::size_t Stream::queued_bytes() const noexcept {
    return uv_stream_get_write_queue_size(reinterpret_cast<const uv_stream_t*>(&handle_->uv));
}

Result<Fd> Listener::bind(const std::filesystem::path& path, unsigned mode, int type) {
    const sockaddr_un address = address_of(path);
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) {
        if (!S_ISSOCK(info.st_mode))
            return fail_at(FailureKind::conflict, path.string(),
                           "cannot listen on '{}': there is a file that is not a socket; move it "
                           "away or choose another path",
                           path.string());
        const Fd probe{check(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "making a socket")};
        if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0)
            return fail_at(FailureKind::conflict, path.string(),
                           "cannot listen on '{}': another process answers there; stop it first, "
                           "or use another run directory",
                           path.string());
        check(::unlink(path.c_str()), "removing the stale socket '{}'", path.string());
    }
    Fd fd{check(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "making a socket")};
    // The mode is set before bind(2) by umask: between bind and chmod nobody gets in.
    const mode_t old = ::umask(0777 & ~mode);
    const int rc = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int err = errno;
    ::umask(old);
    if (rc < 0) throw SystemError{err, fmt::format("binding '{}'", path.string())};
    check(::listen(fd.get(), /*backlog=*/1024), "listening on '{}'", path.string());
    return fd;
}

Listener::Listener(Loop& loop, Fd listening, std::function<void(Fd)> on_connection) {
    auto handle = std::make_unique<Handle>();
    set_blocking(listening.get(), Blocking::no);
    check_uv(uv_poll_init(loop.raw(), &handle->uv, listening.get()), "watching a listener");
    handle->uv.data = handle.get();
    handle->fd = std::move(listening);
    handle->spare = Fd{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "opening '/dev/null'")};
    handle->on_connection = std::move(on_connection);
    handle_.reset(handle.release());
    resume();
}

void Listener::pause() { uv_poll_stop(&handle_->uv); }

void Listener::resume() {
    const auto ready = [](uv_poll_t* uv, int, int) noexcept {
        auto* handle = static_cast<Handle*>(uv->data);
        // One a turn: a flood of connections does not starve the ones that are open.
        Fd fd{::accept4(handle->fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (fd) return handle->on_connection(std::move(fd));
        if (errno != EMFILE) return;
        // Left waiting, the connection would wake the loop for ever: hang up on it.
        handle->spare.reset();
        fd.reset(::accept4(handle->fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
        fd.reset();
        handle->spare.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    };
    check_uv(uv_poll_start(&handle_->uv, UV_READABLE, ready), "watching a listener");
}

Fd connect_unix(const std::filesystem::path& path, int type) {
    const sockaddr_un address = address_of(path);
    Fd fd{check(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "making a socket")};
    check(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "connecting to '{}'", path.string());
    return fd;
}

}  // namespace berth
