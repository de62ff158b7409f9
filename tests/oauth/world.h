// Tenants that connect to a real OAuth2 server by the real daemons: what the tests of the
// whole flow share.
#pragma once

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "store/db.h"
#include "tests/oauth/provider.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

namespace berth::test {

struct WorldOptions {
    std::size_t tenants = 1;
    bool global = false;
    int wall_time = 600;              // of runs, and as long as they are patient with a provider
    std::string kind = "test-oauth";  // or `test-machine`, by client credentials
    std::string settings{};           // of berthd
};

struct World {
    explicit World(WorldOptions wanted);

    Provider provider;
    TempDir kinds{"kinds"};
    std::optional<Daemon> daemon;
    std::int64_t integration = 0;
    std::vector<std::int64_t> tenants;

    std::filesystem::path public_socket() const { return daemon->root() / "run" / "public.sock"; }
    std::string of(std::int64_t tenant, const std::string& what) const;
    std::string invite(std::int64_t tenant);
    void consent(const std::vector<std::int64_t>& whose);
    json connection(std::int64_t tenant);
    json jobs(const std::string& purpose);  // the newest first
    std::vector<std::string> sync_all();
    // All at once; how each ended.
    std::vector<json> run_all();
    // As if this much time had gone by for the tokens, with berthd stopped; less than nothing:
    // as if the clock had been set back.
    void pass(std::chrono::seconds time);
    void change(const std::function<void(Db&)>& how);  // with berthd stopped
    // A held answer or question of the provider's there is now.
    void wait_held(int count);
};

// Whether there is an OAuth2 server here; the build of CI demands it.
bool has_provider();

#define NEEDS_PROVIDER()   \
    BERTH_NEEDS_SANDBOX(); \
    if (!has_provider()) return

}  // namespace berth::test
