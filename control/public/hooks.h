// Deliveries of providers: the route that takes them, and the interface behind it.
// daemon/hooks.h implements it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "control/router.h"

namespace berth {

// A request to `/hooks/{token}`, as it came.
struct HookCall {
    std::string token;
    std::string method;
    std::string uri;  // path and query
    std::vector<std::pair<std::string, std::string>> query;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;
    std::string client;  // who the reverse proxy says it is; may be empty
};

struct HookReply {
    int status = 200;
    std::string body{};
    std::string content_type{};
    std::vector<std::pair<std::string, std::string>> headers{};
};

// Thread: loop.
class HookReceiver {
public:
    virtual ~HookReceiver() = default;
    // Whose address it is, as a name, before any of a delivery's body is held; not_found when it
    // is nobody's: so that only who knows an address costs memory, and no more than his share.
    virtual void admit(std::string token, Callback<void(Result<std::string>)> done) = 0;
    // Answers exactly once, on the loop. A status of 2xx says that the delivery is on disk.
    virtual void receive(HookCall call, Callback<void(HookReply)> done) = 0;
};

// POST and GET /hooks/{token}, with bodies of at most `body_bytes`.
void add_hook_routes(Router& router, HookReceiver& receiver, std::size_t body_bytes);

}  // namespace berth
