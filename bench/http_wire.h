// One keep-alive connection of a bench to a Unix socket: requests go out as they are, and
// answers are collected as they come, so that one thread can have hundreds of them.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"

namespace berth::bench {

// A POST without a body.
std::string post_request(const std::string& target);

struct HttpAnswer {
    int status = 0;
    std::optional<std::chrono::seconds> retry_after;
    std::string body;
};

class HttpWire {
public:
    explicit HttpWire(const std::filesystem::path& socket);  // throws SystemError

    int fd() const { return fd_.get(); }
    // To one that the other end has closed nothing is sent: receive() tells.
    void send(const std::string& request);

    enum class Got { part, answer, end };
    // What has come, when poll says that something has; an answer is in `answer`.
    Got receive(HttpAnswer& answer);

private:
    Fd fd_;
    std::string text_;
};

}  // namespace berth::bench
