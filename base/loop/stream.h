// Unix stream sockets: a listener and its connections, for the control plane.
#pragma once

#include <sys/socket.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/loop/handle.h"
#include "base/loop/loop.h"

namespace berth {

// One connected stream. Callbacks never run after the destructor. Thread: loop.
class Stream {
public:
    Stream(Loop& loop, Fd connected);

    // `on_bytes` for what arrives; an empty view means the other end has closed
    // or the connection broke, and nothing follows it.
    void read(std::function<void(std::string_view)> on_bytes);
    void pause();  // leaves what arrives in the kernel
    void resume();
    // Takes the bytes; `done(false)` when the connection broke first.
    void write(std::string bytes, Callback<void(bool)> done);
    // Ends our direction after what is queued; the other end reads an end of file.
    void end_writing();
    std::size_t queued_bytes() const noexcept;  // taken and not yet written

private:
    struct Handle {
        uv_pipe_t uv;
        std::function<void(std::string_view)> on_bytes;
        std::shared_ptr<bool> alive;
    };
    UvHandle<Handle> handle_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

public:
    ~Stream() { *alive_ = false; }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
};

// A listening Unix socket. Thread: loop.
class Listener {
public:
    // Binds and listens at `path`. A socket file left by a process that is gone is
    // replaced; one that somebody answers on is FailureKind::conflict.
    static Result<Fd> bind(const std::filesystem::path& path, unsigned mode,
                           int type = SOCK_STREAM);

    Listener(Loop& loop, Fd listening, std::function<void(Fd)> on_connection);

    void pause();  // stops accepting; connections wait in the kernel's queue
    void resume();

private:
    struct Handle {
        uv_poll_t uv;
        Fd fd;
        Fd spare;  // given up for a moment when the process has no descriptor left
        std::function<void(Fd)> on_connection;
    };
    UvHandle<Handle> handle_;
};

// Connects to a listening Unix socket; throws SystemError (ENOENT, ECONNREFUSED,
// EACCES ...). Blocking, for clients.
Fd connect_unix(const std::filesystem::path& path, int type = SOCK_STREAM);

}  // namespace berth
