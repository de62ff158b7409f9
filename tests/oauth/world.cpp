#include "tests/oauth/world.h"

#include <cstdlib>
#include <iostream>

#include "store/db_sqlite.h"

namespace berth::test {
namespace {

using Catch::Contains;

const std::string kKind = R"(name: test-oauth
title: Test
documentation: https://example.com
auth: oauth2_code
fields: []
provisioning:
  - {name: base_url, label: Address, secret: false, pattern: 'https?://[^\s]+'}
oauth2:
  authorize_url: "{base_url}/auth"
  token_url: "{base_url}/token"
  revoke_url: "{base_url}/token/revocation"
  issuer: "{base_url}"
  scopes: [openid, offline_access]
  authorize_parameters: {prompt: consent}
request: {header: Authorization, value: "Bearer {access_token}"}
)";

const std::string kMachine = R"(name: test-machine
title: Test
documentation: https://example.com
auth: oauth2_client_credentials
fields: []
provisioning:
  - {name: base_url, label: Address, secret: false, pattern: 'https?://[^\s]+'}
oauth2:
  token_url: "{base_url}/token"
  client_auth: body
request: {header: Authorization, value: "Bearer {access_token}"}
)";

// The run tells its token's checksum: never the token.
constexpr const char* kScript =
    "printf '%s' \"$PAN_SEC_PARTNER_ACCESS_TOKEN\" | sha256sum | cut -c1-16";

}  // namespace

World::World(WorldOptions wanted) {
    write_file_atomically(kinds.path() / "test-oauth.yaml", kKind, 0644);
    write_file_atomically(kinds.path() / "test-machine.yaml", kMachine, 0644);
    // berthd reads it as its own user.
    std::filesystem::permissions(kinds.path(), std::filesystem::perms{0755});
    daemon.emplace(fmt::format(
        "public_url = {}\nconnector_kinds = {}\n"
        "egress_allow = 127.0.0.1:{}\negress_ports = 80, {}\n{}",
        kPublicUrl, kinds.path().string(), provider.port(), provider.port(), wanted.settings));
    const auto made = daemon->install("shop", {{"PANDIUM.yaml", manifest(kScript)}},
                                      {{"wall_time_seconds", wanted.wall_time}});
    integration = made.integration;
    daemon->must("POST", "/v2/connectors", {{"name", "partner"}, {"kind", wanted.kind}});
    const auto used = fmt::format("/v2/integrations/{}/connectors/partner", integration);
    daemon->must("PUT", used, {{"isGlobal", wanted.global}});
    const bool machine = wanted.kind == "test-machine";
    daemon->must("PUT", used + "/provisioning",
                 {{"fields",
                   {{"client_id", machine ? "machine" : "berth"},
                    {"client_secret",
                     machine ? "a-client-secret-of-the-machine" : "a-client-secret-of-the-test"},
                    {"base_url", provider.url("")}}}});
    tenants.push_back(made.tenant);
    for (std::size_t i = 1; i < wanted.tenants; ++i)
        tenants.push_back(daemon->must(
            "POST", "/v2/tenants",
            {{"name", "tenant-" + std::to_string(i)}, {"integration_id", integration}})["id"]);
}

std::string World::of(std::int64_t tenant, const std::string& what) const {
    return fmt::format("/v2/tenants/{}/connectors/partner/{}", tenant, what);
}

std::string World::invite(std::int64_t tenant) {
    return daemon->must("POST", of(tenant, "authorize"))["url"];
}

void World::consent(const std::vector<std::int64_t>& whose) {
    std::vector<std::string> urls;
    for (const auto tenant : whose)
        urls.push_back(invite(tenant));
    for (const json& page : browse(public_socket(), urls)) {
        INFO(page.dump(2));
        REQUIRE(page["status"] == 200);
        REQUIRE_THAT(page["body"].get<std::string>(), Contains("is connected"));
    }
}

json World::connection(std::int64_t tenant) {
    return daemon->must("GET", fmt::format("/v2/tenants/{}/connectors", tenant))[0];
}

json World::jobs(const std::string& purpose) {
    json found = json::array();
    for (const json& job : daemon->must("GET", "/v2/jobs?sort_by=id__DESC"))
        if (job["purpose"] == purpose) found.push_back(job);
    return found;
}

std::vector<std::string> World::sync_all() {
    std::vector<std::string> triggers;
    for (const auto tenant : tenants)
        triggers.push_back(daemon->sync(tenant));
    return triggers;
}

std::vector<json> World::run_all() {
    std::vector<json> runs;
    for (const std::string& trigger : sync_all())
        runs.push_back(daemon->wait_run(trigger));
    return runs;
}

void World::change(const std::function<void(Db&)>& how) {
    daemon->stop(SIGTERM);
    {
        const auto db = SqliteDb::open(daemon->state_dir() / "store" / "berth.db",
                                       SqliteDb::Access::read_write);
        REQUIRE(db);
        Tx tx{**db, Tx::Mode::write};
        how(**db);
        tx.commit();
    }
    daemon->start();
}

void World::pass(std::chrono::seconds time) {
    change([time](Db& db) {
        db.exec("update oauth_tokens set granted = granted - $1, expires = expires - $1",
                {std::chrono::microseconds{time}.count()});
    });
}

void World::wait_held(int count) {
    REQUIRE(eventually([&] { return provider.command("count")["held"] >= count; }));
}

bool has_provider() {
    const bool there = !npm_modules().empty() && std::system("node --version >/dev/null") == 0;
    const char* required = std::getenv("BERTH_REQUIRE_NPM");
    if (!there && required != nullptr && std::string{required} == "1")
        FAIL("npm's oidc-provider is not there; './dev npm' fetches it");
    if (!there) std::cout << "skipped: no oidc-provider; './dev npm' fetches it\n";
    return there;
}

}  // namespace berth::test
