// Accepts connections of a listening Unix socket and serves HTTP/1.1 on them, to the
// audience of its router:
// keep-alive, one request of a connection at a time, answers in order. Hostile
// and slow clients are cut off by HttpLimits; what one client may do is in
// http_connection.h. Thread: loop.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/stream.h"
#include "base/loop/timer.h"
#include "control/http.h"
#include "control/peer.h"
#include "control/router.h"

namespace berth {

class HttpConnection;

struct ServerOptions {
    HttpLimits limits;
    PeerRules peers;
    // Where bodies of BodyPlace::file routes are kept, unlinked.
    std::filesystem::path spool_directory = "/tmp";
};

class Server {
public:
    // `listening` from Listener::bind; it is the owner's to unlink the path.
    // `loop`, `clock` and `router` outlive the server. The program ignores SIGPIPE.
    Server(Loop& loop, const Clock& clock, Fd listening, const Router& router,
           ServerOptions options);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();  // closes what is open

    // Accepts no more, lets requests in flight be answered, ends streams, then
    // calls `stopped` (soon, never from within). After HttpLimits::stop_time it
    // closes what is left.
    void stop(std::function<void()> stopped);

    std::size_t connections() const { return open_.size(); }

private:
    friend class HttpConnection;
    void accept(Fd fd);
    bool has_room_for(uid_t uid) const;
    // Whether bodies in memory, and those of this holder (unless he has no name), may have so
    // much more; if so, they have.
    bool hold_body(std::size_t bytes, const std::string& holder);
    void release_body(std::size_t bytes, const std::string& holder);
    void closed(HttpConnection& connection);  // called by a connection, at most once
    void bury();
    void sweep();

    Loop& loop_;
    const Clock& clock_;
    const Router& router_;
    ServerOptions options_;
    std::size_t held_body_bytes_ = 0;             // of requests that are being read or answered
    std::map<std::string, std::size_t> held_of_;  // of these, by holder
    std::map<HttpConnection*, std::unique_ptr<HttpConnection>> open_;
    // Closed, and kept until the callback that closed them is over.
    std::vector<std::unique_ptr<HttpConnection>> closed_;
    std::size_t refused_ = 0;              // of open_: being told that they are not served
    std::map<uid_t, std::size_t> served_;  // of open_: by user
    std::optional<Listener> listener_;
    Timer sweep_;
    std::function<void()> stopped_;
    bool stopping_ = false;
    SteadyTime stop_deadline_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
