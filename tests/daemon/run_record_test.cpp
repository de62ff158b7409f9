// What a run is given of the configuration's grants, and what its record says of its
// sandbox.
#include <catch2/catch.hpp>

#include "daemon/run_end.h"
#include "daemon/run_start.h"
#include "sandbox/ipc/launcher_protocol.h"

using namespace berth;
using Catch::Matchers::Contains;

namespace {

RunMaterial material(NetworkMode network) {
    RunMaterial made;
    made.run.id = RunId{7};
    made.integration.name = "shop";
    made.integration.network = network;
    made.integration.egress_names = {"api.example.com"};
    made.tenant.name = "acme";
    made.release.run_command = "true";
    made.release.runtime = "host sh";
    return made;
}

PreparedStart prepared(NetworkMode network, GrantTable grants) {
    auto made = make_start(material(network), {"prod", std::move(grants)});
    if (!made) FAIL(made.error().message);
    return std::move(*made);
}

}  // namespace

TEST_CASE("without a grant a run gets its network and nothing more", "[daemon]") {
    const auto egress = prepared(NetworkMode::egress, {{"other", {true, "/srv/x", {"bpf"}}}});
    CHECK(egress.start.network == static_cast<std::uint32_t>(ipc::Network::egress));
    CHECK(egress.start.egress_names == std::vector<std::string>{"api.example.com"});
    CHECK(egress.start.grants == 0);
    CHECK(egress.start.writable_path.empty());
    CHECK(egress.start.extra_syscalls.empty());
    CHECK(egress.grants == "[]");
    const auto none = prepared(NetworkMode::none, {});
    CHECK(none.start.network == static_cast<std::uint32_t>(ipc::Network::none));
    CHECK(none.start.egress_names.empty());
}

TEST_CASE("granted is what the integration's own line says, by name and on the record",
          "[daemon]") {
    const auto all =
        prepared(NetworkMode::host, {{"shop", {true, "/srv/x", {"acct", "bpf"}}}, {"*", {}}});
    CHECK(all.start.grants ==
          (ipc::grant_host_network | ipc::grant_writable_path | ipc::grant_extra_syscalls));
    CHECK(all.start.writable_path == folder_name("/srv/x"));
    CHECK(all.start.extra_syscalls == syscalls_name({"acct", "bpf"}));
    CHECK(all.grants == R"(["host_network","writable_path:/srv/x","extra_syscalls:acct+bpf"])");
    // It may use the host's network and does not.
    const auto quiet = prepared(NetworkMode::egress, {{"shop", {true, "", {}}}});
    CHECK(quiet.start.grants == 0);
    CHECK(quiet.grants == "[]");
}

TEST_CASE("the host's network without its grant is no run, and the line to write is named",
          "[daemon]") {
    const auto refused = make_start(material(NetworkMode::host), {"prod", {{"*", {}}}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == FailureKind::unprocessable);
    CHECK_THAT(refused.error().message, Contains("set 'grant.shop = host_network'"));
    CHECK(make_start(material(NetworkMode::host), {"prod", {{"*", {true, "", {}}}}}));
}

TEST_CASE("a run that failed by itself says what it was refused", "[daemon]") {
    const std::vector<std::string> calls{"ptrace", "mount"};
    CHECK(reason_of(Exited{1}, calls) == "exited with code 1; the sandbox refused: ptrace, mount");
    CHECK(reason_of(Signalled{31}, calls) ==
          "ended by signal 31 (SIGSYS); the sandbox refused: ptrace, mount");
    CHECK(reason_of(Exited{1}, {}) == "exited with code 1");
    // It got on without, or its end is not its own doing: they are on the record only.
    CHECK(reason_of(Exited{0}, calls) == "exited with code 0");
    CHECK(reason_of(Cancelled{}, calls) == "cancelled");
    CHECK(reason_of(OutOfMemory{std::uint64_t{256} << 20}, {}) ==
          "killed: out of memory at 256 MiB");
}
