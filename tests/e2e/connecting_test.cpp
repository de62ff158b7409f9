// A connection's whole life from the command line, with the real program and the real daemons:
// connected, heard, ended, connected again; a tenant's own and one for all tenants.
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using Catch::Contains;

namespace {

struct Said {
    int code = -1;
    std::string out;  // stdout and stderr, as a person sees them
};

// `berth` with these words, and `typed` at its standard input.
Said berth_says(const Daemon& daemon, const std::string& words, const std::string& typed = "") {
    const std::string command = fmt::format(
        "printf %s '{}' | NO_COLOR=1 BERTH_SOCKET='{}' " BERTH_BINARY_DIR "/bin/berth {} 2>&1",
        typed, daemon.socket().string(), words);
    FILE* pipe = ::popen(command.c_str(), "re");
    REQUIRE(pipe != nullptr);
    Said said;
    std::array<char, 4096> buffer{};
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        said.out.append(buffer.data(), n);
    said.code = WEXITSTATUS(::pclose(pipe));
    return said;
}

}  // namespace

TEST_CASE("a connection is begun, heard, ended and begun again from the command line", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"public_url = https://berth.example\n"};
    daemon.install("sync", {{"PANDIUM.yaml", manifest("printf %s \"$PAN_SEC_HUB_ACCESS_TOKEN\" | "
                                                      "wc -c")}});
    const auto good = [&](const std::string& words, const std::string& typed = "") {
        const Said said = berth_says(daemon, words, typed);
        INFO(words << "\n" << said.out);
        REQUIRE(said.code == 0);
        CHECK(said.out.find("hunter2") == std::string::npos);  // no secret comes back
        return said.out;
    };
    const auto refused = [&](const std::string& words) {
        const Said said = berth_says(daemon, words);
        INFO(words << "\n" << said.out);
        CHECK(said.code != 0);
        return said.out;
    };
    good("connector create hub --kind github");
    good("connector attach sync hub");
    CHECK_THAT(good("connection list sync-tenant"), Contains("hub") && Contains("disconnected"));
    good("connection set sync-tenant hub access_token=-", "hunter2-token");
    CHECK_THAT(good("connection show sync-tenant hub"),
               Contains("connected") && Contains("access_token"));
    CHECK_THAT(good("tenant sync sync-tenant -f"), Contains("out| 13"));

    // Its endpoint is the same over a disconnect, another after a rotation, and none when revoked.
    const std::string endpoint = good("webhook create sync-tenant hub");
    CHECK_THAT(endpoint, Contains("https://berth.example/hooks/") && Contains("(missing)"));
    good("connection disconnect sync-tenant hub");
    CHECK_THAT(good("connection list sync-tenant"), Contains("disconnected"));
    good("connection set sync-tenant hub access_token=- webhook_secret=hunter2-hook",
         "hunter2-again");
    CHECK_THAT(good("connection show sync-tenant hub"),
               Contains("connected") && Contains("disconnected"));  // its story
    const std::string again = good("webhook show sync-tenant hub");
    CHECK_THAT(again, !Contains("(missing)"));
    const auto address = [](const std::string& text) {
        const auto at = text.find("https://berth.example/hooks/");
        return text.substr(at, text.find('\n', at) - at);
    };
    CHECK(address(again) == address(endpoint));
    CHECK(address(good("webhook rotate sync-tenant hub")) != address(endpoint));
    CHECK_THAT(good("webhook show sync-tenant hub"), Contains(address(endpoint)));  // for a day
    good("webhook deliveries sync-tenant hub");
    good("webhook revoke sync-tenant hub");
    refused("webhook show sync-tenant hub");

    // A link for somebody without an account.
    const std::string link = good("tenant auth-link sync-tenant --new");
    CHECK_THAT(link, Contains("https://berth.example/connect/"));
    CHECK(good("tenant auth-link sync-tenant") == link);
    CHECK(good("tenant auth-link sync-tenant --new") != link);
    good("tenant auth-link sync-tenant --revoke");
    refused("tenant auth-link sync-tenant");

    // One connection for all tenants: no tenant's to end. Its app is provisioned for all.
    good("connector create crm --kind slack");
    good("connector attach sync crm --global");
    good("connector provision sync crm client_id=app client_secret=-", "hunter2-client");
    CHECK_THAT(good("connector provision sync crm"), Contains("app") && Contains("client_secret"));
    CHECK_THAT(good("connection list sync-tenant"), Contains("global"));
    CHECK_THAT(refused("connection disconnect sync-tenant crm"), Contains("crm"));
    CHECK_THAT(good("connection authorize --global sync crm"),
               Contains("https://berth.example/v0/author/begin/oauth2?ticket="));
    good("connector provision sync crm --forget");
    CHECK_THAT(refused("connection call sync-tenant crm /x"), Contains("crm"));
    good("job list");
    CHECK_THAT(good("connector kinds"), Contains("github") && Contains("sendgrid"));
    CHECK_THAT(good("connector kind github"), Contains("PAN_SEC_GITHUB_ACCESS_TOKEN"));
    CHECK(daemon.log().find("hunter2") == std::string::npos);
}
