// One open connection of the client: bytes out, bytes in, never longer than the
// time-outs allow. Blocking.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "control/client.h"

namespace berth {

// What follows the head of a request: bytes, or a file read as it goes out.
struct ClientBody {
    std::string_view bytes;
    int file = -1;
    std::optional<std::uint64_t> file_bytes;  // nothing: a pipe, sent in chunks
};

class ClientWire {
public:
    ClientWire(std::filesystem::path socket, ClientOptions options)
        : socket_{std::move(socket)}, options_{options} {}

    Result<void> open();
    // Nothing is unread and the other end is there.
    bool usable() const;
    // False: the other end stopped reading and has probably said why.
    Result<bool> send(std::string_view bytes) const;
    Result<void> send_body(const ClientBody& body) const;
    // Empty at the end.
    Result<std::string> receive() const;

private:
    tl::unexpected<Failure> trouble(std::string_view why) const;
    Result<short> wait(short events) const;  // what came about

    std::filesystem::path socket_;
    ClientOptions options_;
    Fd fd_;
};

}  // namespace berth
