// One client of the server, from accept to close: reads requests one after the
// other, hands each to its route, writes the answer, and cuts off who is too
// slow. Thread: loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop/stream.h"
#include "control/errors.h"
#include "control/parser.h"
#include "control/reply.h"
#include "control/router.h"

namespace berth {

class Exchange;
class Server;

// refused: it is told why, and none of its requests are read.
enum class Admission { served, refused };

class HttpConnection {
public:
    HttpConnection(Server& server, Fd fd, Peer peer, Admission admission);
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;
    ~HttpConnection();

    void serve();                            // from here on it reads requests
    void turn_away(const ErrorAnswer& why);  // instead of serve(): says why, reads nothing
    void check_deadlines(SteadyTime now);
    void stop();  // once the request in flight, if any, is answered
    void close();
    const Peer& peer() const { return peer_; }
    Admission admission() const { return admission_; }

private:
    friend class Exchange;

    // reading: the next request, or the rest of one; asking: its head is there, and the
    // route's gate says whether its body may come; answering: a handler has the Reply;
    // streaming: it has made a stream of it; lingering: the last answer is out, and the
    // client has a moment to read it; closed: the server buries it.
    enum class Phase { reading, asking, answering, streaming, lingering, closed };
    enum class AfterAnswer { next_request, close };

    void received(std::string_view bytes);
    void process();
    void process_later();
    void head_arrived();
    void ask_gate();
    void take_body();
    void body_arrived();
    void dispatch();
    Result<void> hold_body();
    void release_body();
    Result<void> spool(std::string bytes);
    // An answer that is not a handler's.
    void refuse(const ErrorAnswer& why, AfterAnswer after = AfterAnswer::close,
                NamedValues headers = {});
    AfterAnswer after_answer();
    void answered(AfterAnswer after);
    void linger();

    // What the exchange does on behalf of its Reply.
    void respond(Response response);
    void begin(Response head);
    void send(std::string bytes);
    void finish();

    void write(std::string bytes);
    void written(bool good);
    const HttpLimits& limits() const;
    SteadyTime now() const;

    Server& server_;
    Peer peer_;
    Admission admission_;
    Stream stream_;
    RequestParser parser_;
    Phase phase_ = Phase::reading;
    std::string pending_;  // received and not yet parsed
    bool processing_ = false;
    bool paused_ = false;
    bool ended_ = false;  // the client sends no more

    std::optional<Match> match_;  // of the request in the parser
    Fd spool_;
    std::size_t held_body_ = 0;  // of the body in memory, counted by the server
    std::string holder_;         // for whom, as the route's gate says
    std::shared_ptr<Exchange> exchange_;
    bool event_stream_ = false;

    SteadyTime since_;  // when the idle time, the head or the body window began
    std::uint64_t window_start_bytes_ = 0;
    SteadyTime last_written_;  // progress of what is unsent, and the last heartbeat
    std::size_t last_unsent_ = 0;
    std::optional<SteadyTime> linger_until_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
