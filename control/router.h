// Which handler answers which path, and who may ask: routes are one table of
// data, so that documents and checks can be made from it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/callback.h"
#include "control/errors.h"
#include "control/http.h"
#include "control/input.h"
#include "control/peer.h"
#include "control/reply.h"

namespace berth {

using Handler = std::function<void(Request, Reply)>;

enum class BodyPlace { memory, file };  // Request::body | Request::body_file

// Asked when the head is there and before any of a body is taken, with the route's {names}.
// Answers once and later: for whom the body's memory is counted, or why there is none for it.
using Gate = std::function<void(const NamedValues& params, Callback<void(Result<std::string>)>)>;

struct Route {
    Method method = Method::get;
    std::string pattern;  // `/v2/tenants/{tenant_id}/sync`
    Role role = Role::administrator;
    std::string summary;  // one line for people; a route without one is not taken
    Handler handler;
    std::size_t body_limit = limits::kHttpBodyBytes;
    BodyPlace body_place = BodyPlace::memory;
    ErrorStyle error_style = ErrorStyle::fields;
    // Of a body that says what it is; else 415. Empty: any.
    std::string content_type = "application/json";
    Gate gate{};  // none: whoever may ask may send a body
};

struct Match {
    const Route* route = nullptr;
    NamedValues params;
};
struct NoPath {};
struct NoMethod {
    std::string allow;  // `GET, HEAD, POST`
};

class Router {
public:
    // For anybody: takes routes without a role only, and none of the API's (asserted); a GET
    // takes no body then, whatever its route says.
    explicit Router(Audience audience = Audience::peers) : audience_{audience} {}

    // Two routes with the same method and shape are our mistake (asserted).
    void add(Route route);
    void add(std::vector<Route> routes);

    // A literal segment goes before a {name}; HEAD is answered by the GET.
    std::variant<Match, NoPath, NoMethod> find(Method method,
                                               const std::vector<std::string>& path) const;
    const std::vector<Route>& routes() const { return routes_; }
    Audience audience() const { return audience_; }

private:
    Audience audience_;
    // Behind a pointer-stable order: routes_ is not changed once the server runs.
    std::vector<Route> routes_;
    std::vector<std::vector<std::string>> patterns_;  // routes_[i].pattern, split
};

}  // namespace berth
