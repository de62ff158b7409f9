// What is behind an auth link: the page on which a customer without an account connects the
// systems of one tenant. daemon/auth_links.h implements it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/connections_api.h"

namespace berth {

struct ConnectField {
    std::string name;
    std::string label;
    std::string help;
    std::string value;  // what there is, or the default; never a secret
    bool secret = true;
    bool required = true;
    bool multiline = false;
};

struct ConnectItem {
    std::string connector;
    std::string title;
    ConnectionStatus status = ConnectionStatus::disconnected;
    std::string reason;    // for people; may be empty
    bool consent = false;  // the provider asks, on a page of its own
    std::vector<ConnectField> fields;
};

struct ConnectPage {
    std::string title;  // of the integration
    std::vector<ConnectItem> items;
};

// Where the browser goes after a form.
struct ConnectNext {
    std::string address;  // the provider's; empty: back to the page
    std::string cookie;   // a Set-Cookie header's value; may be empty
};

// Thread: loop. Each answers exactly once, on the loop, never before it has returned.
class ConnectPageApi {
public:
    virtual ~ConnectPageApi() = default;
    // not_found, in the same words, for every token that leads nowhere.
    virtual void open(std::string token, Done<ConnectPage> done) = 0;
    virtual void submit(std::string token, std::string connector, TypedFields fields,
                        Done<ConnectNext> done) = 0;
    // What a form must bring back: nobody else can make it.
    virtual std::string form_mark(std::string_view token, std::string_view cookie) const = 0;
};

}  // namespace berth
