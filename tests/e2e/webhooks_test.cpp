// Deliveries of providers, from the public socket to a run: what is taken, what is not, and
// that nothing else is reached there.
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/e2e/hooked.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using Catch::Contains;

namespace {

// Prints the triggers, and the body of each that has one.
constexpr const char* kShow =
    "echo \"$PAN_CTX_RUN_TRIGGERS\" >&2; echo \"mode $PAN_CTX_RUN_MODE\" >&2; "
    "cat /work/.berth/*.body >&2";
constexpr const char* kQuiet = "true";

// As Slack signs, without the way to a token.
constexpr const char* kSlackLike = R"(
name: hook-slack
title: Slack's webhooks
documentation: https://docs.slack.dev/authentication/verifying-requests-from-slack
fields:
  - {name: signing_secret, label: Signing secret, in_environment: false}

webhook:
  key_field: signing_secret
  signature_header: X-Slack-Signature
  signature_prefix: v0=
  timestamp_header: X-Slack-Request-Timestamp
  message: "v0:{timestamp}:{body}"
  id_pointer: /event_id
  handshake: slack_url_verification
)";

Fd connected(const std::filesystem::path& path) {
    Fd fd{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "a socket")};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    check(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "connecting to '{}'", path.string());
    return fd;
}

std::string without_date(const ClientResponse& answer) {
    std::string text = fmt::format("{}\n", answer.status);
    for (const auto& [name, value] : answer.headers)
        text += name + ": " + value + "\n";
    return text + answer.body;
}

}  // namespace

TEST_CASE("a signed delivery becomes a run with its raw body and its headers", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kShow};
    const std::string body = "{\"ref\" :  \"refs/heads/main\", \"n\": 1}\n";  // to the byte
    auto headers = Hooked::signed_by_github(body, "72d3162e");
    headers.emplace_back("cookie", "session=s3cret");
    headers.emplace_back("authorization", "Bearer s3cret");
    headers.emplace_back("x-forwarded-for", "10.0.0.1, 203.0.113.7");
    const auto answer = hooked.post(hooked.path, body, headers);
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->body.empty());

    const json delivery = hooked.deliveries().at(0);
    CHECK(delivery["outcome"] == "accepted");
    CHECK(delivery["delivery_id"] == "72d3162e");
    CHECK(delivery["event"] == "push");
    CHECK(delivery["client"] == "203.0.113.7");
    CHECK(delivery["bytes"] == body.size());

    const json run = hooked.last_run();
    CHECK(run["state"] == "succeeded");
    CHECK(run["mode"] == "webhook");
    const std::string log = hooked.daemon.run_log(run["id"]);
    CHECK_THAT(log, Contains("mode webhook"));
    CHECK_THAT(log, Contains(body.substr(0, body.size() - 1)));
    CHECK_THAT(log, Contains("\"source\":\"webhook\"") && Contains("\"mode\":\"webhook\""));
    CHECK_THAT(log, Contains("\"x-github-event\":\"push\""));
    CHECK_THAT(log, !Contains("s3cret") && !Contains("203.0.113.7"));
}

TEST_CASE("what is not signed as agreed is refused, and all refusals look alike", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    const std::string body = "{}";
    std::vector<ClientHeaders> wrong{
        {},
        {{"x-hub-signature-256", "sha256="}},
        {{"x-hub-signature-256", "sha256=" + std::string(64, '0')}},
        {{"x-hub-signature", "sha1=" + std::string(40, '0')}},
        Hooked::signed_by_github(body, "1", "another secret"),
        Hooked::signed_by_github("{ }", "1"),
    };
    std::set<std::string> answers;
    for (const auto& headers : wrong) {
        const auto answer = hooked.post(hooked.path, body, headers);
        REQUIRE(answer);
        CHECK(answer->status == 401);
        answers.insert(without_date(*answer));
    }
    CHECK(answers.size() == 1);
    REQUIRE(eventually([&] { return hooked.deliveries().size() == wrong.size(); }));
    for (const json& delivery : hooked.deliveries()) {
        CHECK(delivery["outcome"] == "refused");
        CHECK(delivery["trigger_id"].is_null());
        CHECK(delivery["delivery_id"] == "");
        CHECK_FALSE(delivery["reason"].get<std::string>().empty());
    }
    CHECK(hooked.runs().empty());
    CHECK(hooked.deliver(body, "1").status == 200);  // it was the signature
}

TEST_CASE("a path that is unknown, revoked or archived is the same nothing", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    const auto answer_at = [&](const std::string& path) {
        const auto answer = hooked.post(path, "{}", Hooked::signed_by_github("{}", "1"));
        REQUIRE(answer);
        return without_date(*answer);
    };
    const std::string unknown = answer_at("/hooks/" + std::string(48, '0'));
    CHECK_THAT(unknown, Contains("404"));
    CHECK(answer_at("/hooks/x") == unknown);
    const std::string tenant = fmt::format("/v2/tenants/{}", hooked.made.tenant);
    hooked.daemon.must("PATCH", tenant, {{"archived", true}});
    CHECK(answer_at(hooked.path) == unknown);
    hooked.daemon.must("PATCH", tenant, {{"archived", false}});
    CHECK_THAT(answer_at(hooked.path), Contains("200"));
    hooked.daemon.must("DELETE", hooked.of_tenant("webhook"));
    CHECK(answer_at(hooked.path) == unknown);
    CHECK(hooked.daemon.request("GET", hooked.of_tenant("webhook")).status == 404);
}

// Thirteen of five MiB would be all the memory that there is for bodies.
TEST_CASE("slow uploads to nobody's address hold up no delivery", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    constexpr std::size_t kWhole = std::size_t{5} << 20;
    const std::string head =
        fmt::format("POST /hooks/{} HTTP/1.1\r\nHost: b\r\nContent-Length: {}\r\n\r\n",
                    std::string(48, '0'), kWhole);
    const std::string most(kWhole - 4096, 'x');
    std::vector<Fd> uploads;
    for (int i = 0; i < 16; ++i) {
        uploads.push_back(connected(hooked.public_socket()));
        for (std::string_view left : {std::string_view{head}, std::string_view{most}})
            while (!left.empty()) {
                const auto sent =
                    ::send(uploads.back().get(), left.data(), left.size(), MSG_NOSIGNAL);
                if (sent <= 0) break;  // it was told already
                left.remove_prefix(static_cast<std::size_t>(sent));
            }
    }
    const std::string body = "{\"a\":\"" + std::string(std::size_t{1} << 20, 'y') + "\"}";
    CHECK(hooked.deliver(body, "1").status == 200);
    for (const Fd& upload : uploads) {
        std::array<char, 64> told{};
        const auto bytes = ::recv(upload.get(), told.data(), told.size(), 0);
        REQUIRE(bytes > 0);
        CHECK_THAT((std::string{told.data(), static_cast<std::size_t>(bytes)}),
                   Contains("HTTP/1.1 404"));
    }
}

TEST_CASE("nothing of the API is reached through the public socket", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    Client client{hooked.public_socket()};
    // As root, who is an administrator at the other socket.
    for (const char* path :
         {"/v2/tenants", "/v2/health", "/v2/metrics", "/v2/ready", "/metrics", "/", "/hooks",
          "/hooks/", "//v2/tenants", "/v2/%74enants", "/hooks/../v2/tenants"}) {
        INFO(path);
        const auto answer = client.get(path);
        REQUIRE(answer);
        CHECK((answer->status == 404 || answer->status == 400));
    }
    CHECK(client.get("/up")->status == 204);
    CHECK(hooked.daemon.request("GET", "/v2/tenants").status == 200);
}

TEST_CASE("a delivery that comes again is taken and starts nothing", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    for (int i = 0; i < 3; ++i)
        CHECK(hooked.deliver("{\"n\": 1}", "same").status == 200);
    CHECK(hooked.deliver("{\"n\": 1}", "other").status == 200);
    std::set<std::string> triggers;
    std::vector<std::string> outcomes;
    for (const json& delivery : hooked.deliveries()) {
        triggers.insert(delivery["trigger_id"].get<std::string>());
        outcomes.push_back(delivery["outcome"]);
    }
    CHECK(triggers.size() == 2);
    CHECK(outcomes == std::vector<std::string>{"accepted", "duplicate", "duplicate", "accepted"});
    for (const auto& trigger : triggers)
        hooked.daemon.wait_run(trigger);
    std::size_t seen = 0;
    for (const json& run : hooked.runs())
        seen += run["triggers"].size();
    CHECK(seen == 2);
}

TEST_CASE("a replaced address serves until its end, and can be shown again", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    const std::string old = hooked.path;
    const json fresh = hooked.daemon.must("POST", hooked.of_tenant("webhook"));
    hooked.path = fresh["path"];
    CHECK(hooked.path != old);
    CHECK(fresh["url"] == "https://hooks.example.com" + hooked.path);
    REQUIRE(fresh["replaced"].size() == 1);
    CHECK(fresh["replaced"][0]["path"] == old);
    CHECK(hooked.daemon.must("GET", hooked.of_tenant("webhook")) == fresh);
    CHECK(hooked.deliver("{}", "1").status == 200);
    CHECK(hooked.post(old, "{}", Hooked::signed_by_github("{}", "2"))->status == 200);
    hooked.daemon.must("POST", hooked.of_tenant("webhook"), {{"overlap_seconds", 0}});
    CHECK(hooked.post(hooked.path, "{}", Hooked::signed_by_github("{}", "3"))->status == 404);
    // It was to serve a day longer, and still is gone.
    CHECK(hooked.post(old, "{}", Hooked::signed_by_github("{}", "4"))->status == 404);
}

TEST_CASE("without the runner nothing is taken, and the provider is told to come again", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    const pid_t runner = hooked.daemon.pid_of("berth-runner");
    REQUIRE(::kill(runner, SIGSTOP) == 0);
    // It is there, and says nothing: the delivery waits. Then it is gone.
    std::optional<ClientResponse> answer;
    std::thread provider{
        [&] { answer = hooked.post(hooked.path, "{}", Hooked::signed_by_github("{}", "1")); }};
    REQUIRE(::kill(runner, SIGKILL) == 0);
    provider.join();
    REQUIRE(answer);
    if (answer->status != 200) {  // the next runner may have been asked already
        CHECK(answer->status == 503);
        CHECK_FALSE(answer->header("retry-after").empty());
    }
    REQUIRE(eventually([&] { return hooked.deliver("{}", "1").status == 200; }));
}

TEST_CASE("a connector that is disconnected checks nothing, and so takes nothing", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    CHECK(hooked.deliver("{}", "1").status == 200);
    hooked.daemon.must("PATCH", hooked.of_tenant("disconnect"), json::object());
    CHECK(hooked.deliver("{}", "2").status == 401);
    CHECK(hooked.daemon.must("GET", hooked.of_tenant("webhook"))["has_secret"] == false);
    hooked.daemon.must("PUT", hooked.of_tenant("connection"),
                       {{"secrets", {{"access_token", "t"}, {"webhook_secret", "another"}}}});
    CHECK(hooked.deliver("{}", "3").status == 401);  // the one before counts no more, at once
    const auto good =
        hooked.post(hooked.path, "{}", Hooked::signed_by_github("{}", "3", "another"));
    CHECK(good->status == 200);
}

TEST_CASE("Slack's question is answered, if it is signed", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir kinds{"hook-kinds"};
    write_file_atomically(kinds.path() / "hook-slack.yaml", kSlackLike + 1, 0644);
    std::filesystem::permissions(kinds.path(), std::filesystem::perms{0755});
    Hooked hooked{kQuiet,
                  "connector_kinds = " + kinds.path().string() + "\n",
                  "hook-slack",
                  {{"signing_secret", Hooked::kSecret}}};
    const std::string body = R"({"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV"})";
    const auto now = std::to_string(to_micros(SystemClock{}.now()) / 1'000'000);
    const auto mac = hmac_sha256(Hooked::kSecret, "v0:" + now + ":" + body);
    const ClientHeaders good{{"x-slack-request-timestamp", now},
                             {"x-slack-signature", "v0=" + to_hex(mac)}};
    const auto answer = hooked.post(hooked.path, body, good);
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->body == "3eZbrw1aBm2rZgRNFdxV");
    CHECK_THAT(std::string{answer->header("content-type")}, Contains("text/plain"));
    CHECK(hooked.post(hooked.path, body, {})->status == 401);
    CHECK(hooked.runs().empty());
}

TEST_CASE("an address takes so many in a second, and says when to come again", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet, "webhook_rate = 1\n"};
    std::map<int, int> statuses;
    for (int i = 0; i < 30; ++i)
        ++statuses[hooked.deliver("{}", std::to_string(i)).status];
    CHECK(statuses[200] >= 10);
    CHECK(statuses[429] >= 1);
    CHECK(statuses[200] + statuses[429] == 30);
    const std::string metrics = hooked.daemon.request("GET", "/metrics").body;
    CHECK_THAT(metrics,
               Contains(fmt::format("berth_webhook_deliveries_total{{outcome=\"limited\"}} {}",
                                    statuses[429])));
}
