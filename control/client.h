// The other end of the control socket, blocking: for the CLI, the web tier and
// tests. One request at a time; a Client keeps its connection between requests.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace berth {

class ClientWire;
struct ClientBody;

using ClientHeaders = std::vector<std::pair<std::string, std::string>>;

struct ClientResponse {
    int status = 0;
    ClientHeaders headers;  // names in lower case
    std::string body;

    std::string_view header(std::string_view name) const;  // empty when absent
    bool ok() const { return status >= 200 && status < 300; }
};

struct ServerEvent {
    std::string id;
    std::string event;
    std::string data;
};
enum class Follow { on, stop };
enum class Redirects { returned, followed };

struct ClientOptions {
    std::chrono::milliseconds connect_time{5'000};
    std::chrono::milliseconds answer_time{60'000};        // without a byte either way
    std::uint64_t body_limit = std::uint64_t{256} << 20;  // of an answer
};

// Every Result here fails with `unavailable` (nobody answers), `denied` (the
// socket is not permitted) or `invalid` (what answers is no HTTP); the message
// names the socket and the cure. An HTTP error status is an answer, not a failure.
class Client {
public:
    explicit Client(std::filesystem::path socket, ClientOptions options = {});
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    // `target` is path and query, percent-encoded already (see encode_segment).
    // A body without a content-type header is sent as JSON.
    Result<ClientResponse> request(std::string_view method, std::string_view target,
                                   std::string_view body = {}, const ClientHeaders& headers = {});
    // Follows up to 3 redirects on the same socket when asked.
    Result<ClientResponse> get(std::string_view target, Redirects redirects = Redirects::returned);
    // Sends the rest of `file`, which may be a pipe, as the body.
    Result<ClientResponse> upload(std::string_view method, std::string_view target, int file,
                                  std::string_view content_type, const ClientHeaders& headers = {});
    // The body of a 2xx answer goes to `take` as it comes, other answers have theirs.
    Result<ClientResponse> download(std::string_view method, std::string_view target,
                                    const std::function<void(std::string_view)>& take);
    // Reads server-sent events until the stream ends or `on_event` says stop. The
    // response has the status; unless it is 200 with events, it has the body too.
    Result<ClientResponse> follow(std::string_view target,
                                  const std::function<Follow(const ServerEvent&)>& on_event,
                                  const ClientHeaders& headers = {});

private:
    // Called with each piece of the body in response.body, which it may take.
    using OnBody = std::function<Follow(ClientResponse& response)>;
    Result<ClientResponse> exchange(std::string_view method, std::string_view target,
                                    const ClientHeaders& headers, const ClientBody& body,
                                    const OnBody& on_body);

    std::filesystem::path socket_;
    ClientOptions options_;
    std::unique_ptr<ClientWire> wire_;  // the connection, kept between requests
};

// For one segment of a path or one value of a query: `a/b c` → `a%2Fb%20c`.
std::string encode_segment(std::string_view text);

}  // namespace berth
