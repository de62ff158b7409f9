// Auth links: the token of a tenant, and what the page behind it shows and takes.
#pragma once

#include <string>
#include <string_view>

#include "control/oauth_api.h"
#include "control/public/connect_api.h"
#include "daemon/connections.h"

namespace berth {

// 128 bits, base64url without padding: HMAC-SHA256 of whose it is, and of a serial number
// that a new link changes.
std::string auth_link_token(std::string_view key, TenantId tenant, std::string_view serial);

// Thread: loop.
class AuthLinks final : public ConnectPageApi {
public:
    struct Parts {
        Store& store;
        const KindBook& kinds;
        Connections& connections;
        std::string link_key;
    };
    explicit AuthLinks(Parts parts) : parts_{std::move(parts)} {}
    void use_oauth(OAuthApi& oauth) { oauth_ = &oauth; }

    void open(std::string token, Done<ConnectPage> done) override;
    void submit(std::string token, std::string connector, TypedFields fields,
                Done<ConnectNext> done) override;
    std::string form_mark(std::string_view token, std::string_view cookie) const override;

private:
    ConnectItem item_of(const Connection& connection) const;
    void ask_provider(Caller who, OAuthTarget target, const std::string& token,
                      Done<ConnectNext> done);

    Parts parts_;
    OAuthApi* oauth_ = nullptr;
};

}  // namespace berth
