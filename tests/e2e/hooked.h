// An integration that hears webhooks, and the hand of its provider.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "base/crypto.h"
#include "base/text.h"
#include "tests/support/daemon_fixture.h"

namespace berth::test {

// A tenant with a connector `hub` of GitHub's kind, connected, and its address.
class Hooked {
public:
    static constexpr const char* kSecret = "It's a Secret to Everybody";

    explicit Hooked(const std::string& command, const std::string& settings = "",
                    const std::string& kind = "github",
                    const json& secrets = {{"access_token", "ghp_token"},
                                           {"webhook_secret", kSecret}})
        : daemon{"public_url = https://hooks.example.com\n" + settings} {
        made = daemon.install("hooked", {{"PANDIUM.yaml", manifest(command)}});
        daemon.must("POST", "/v2/connectors", {{"name", "hub"}, {"kind", kind}});
        daemon.must("PUT", fmt::format("/v2/integrations/{}/connectors/hub", made.integration),
                    json::object());
        daemon.must("PUT", of_tenant("connection"), {{"secrets", secrets}});
        path = daemon.must("PUT", of_tenant("webhook"))["path"];
    }

    std::string of_tenant(const std::string& what) const {
        return fmt::format("/v2/tenants/{}/connectors/hub/{}", made.tenant, what);
    }
    std::filesystem::path public_socket() const { return daemon.root() / "run" / "public.sock"; }

    static ClientHeaders signed_by_github(const std::string& body, const std::string& id,
                                          const std::string& secret = kSecret) {
        return {{"content-type", "application/json"},
                {"x-github-event", "push"},
                {"x-github-delivery", id},
                {"x-hub-signature-256", "sha256=" + to_hex(hmac_sha256(secret, body))}};
    }
    // Nothing when nobody answered.
    std::optional<ClientResponse> post(const std::string& to, const std::string& body,
                                       const ClientHeaders& headers) {
        auto answer = Client{public_socket()}.request("POST", to, body, headers);
        if (!answer) return {};
        return *std::move(answer);
    }
    ClientResponse deliver(const std::string& body, const std::string& id) {
        auto answer = post(path, body, signed_by_github(body, id));
        REQUIRE(answer);
        return *std::move(answer);
    }
    json deliveries() { return daemon.must("GET", of_tenant("webhook/deliveries")); }
    json runs() {
        return daemon.must(
            "GET", fmt::format("/v2/tenants/{}/runs?sort_by=id__ASC&limit=500", made.tenant));
    }
    // The last delivery's run, when it is over.
    json last_run() { return daemon.wait_run(deliveries().at(0)["trigger_id"]); }

    Daemon daemon;
    Daemon::Installed made;
    std::string path;
};

}  // namespace berth::test
