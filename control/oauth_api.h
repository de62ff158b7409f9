// Connecting by OAuth2, as the routes and the page behind an auth link see it.
// daemon/oauth.h implements it.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "control/api.h"
#include "control/http.h"
#include "model/values.h"

namespace berth {

// Whose connection is to be made: a tenant's, or without one the integration's global one.
struct OAuthTarget {
    IntegrationId integration;  // with a tenant it is his
    std::optional<TenantId> tenant;
    std::string connector;
};

// Where the browser goes next, and what it must keep until it comes back: the value of a
// Set-Cookie header, sent in the same answer.
struct OAuthStart {
    std::string authorize_url;
    std::string cookie;
};

// A page of ours that starts it in the browser that presses its button first.
struct OAuthInvitation {
    std::string url;
    Time expires{};
};
// What that page says.
struct OAuthInvited {
    std::string title;  // of the connector's kind
};

// Somebody must consent, or nobody has to: then it is connected.
struct OAuthAuthorized {
    std::optional<OAuthInvitation> invitation;
    std::optional<Connection> connection;
};

// What is shown when it is over: back to `return_to`, or, when that is empty or it went
// wrong, a page with this text.
struct OAuthEnd {
    bool connected = false;
    std::string text;
    std::string return_to;
};

// What came to the callback, as it came.
struct OAuthCallback {
    Query query;
    std::string cookies;  // the Cookie header
};

// Thread: loop. Each answers exactly once, on the loop, never before it has returned.
class OAuthApi {
public:
    virtual ~OAuthApi() = default;
    // `return_to` is a path of the public server. unprocessable when the connector is not
    // of an OAuth2 kind or is not provisioned; unavailable without 'public_url'.
    virtual void begin(Caller who, OAuthTarget target, std::string return_to,
                       Done<OAuthStart> done) = 0;
    // For whoever has no browser here: a link that is accepted once. Looking uses nothing up.
    virtual void invite(Caller who, OAuthTarget target, Done<OAuthInvitation> done) = 0;
    virtual void look_at_invitation(std::string ticket, Done<OAuthInvited> done) = 0;
    virtual void accept_invitation(std::string ticket, Done<OAuthStart> done) = 0;
    // Nobody is told more than the text: refusals are in it.
    virtual void finish(OAuthCallback callback, Done<OAuthEnd> done) = 0;
    // Client credentials: connecting is getting the first token.
    virtual void connect_client(Caller who, OAuthTarget target, Done<Connection> done) = 0;
    // Whichever of invite() and connect_client() the connector's kind is for.
    virtual void authorize(Caller who, OAuthTarget target, Done<OAuthAuthorized> done) = 0;
};

}  // namespace berth
