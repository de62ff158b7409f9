// Deliveries that are promised, forged and repeated: what was answered with 200 stays, and
// whoever has seen a delivery cannot make another of it.
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/cptr.h"
#include "tests/e2e/hooked.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;
using Catch::Contains;

namespace {

constexpr const char* kQuiet = "true";

// As Shopify signs, without the way to a token.
constexpr const char* kShopifyLike = R"(
name: hook-shop
title: Shopify's webhooks
documentation: https://shopify.dev/docs/apps/build/webhooks/subscribe/https
fields:
  - {name: webhook_secret, label: Secret, in_environment: false}

webhook:
  encoding: base64
  signature_header: X-Shopify-Hmac-Sha256
  id_header: X-Shopify-Webhook-Id
  idempotency: message
)";

// Whoever signs with a key of his own.
class Signer {
public:
    Signer() : key_{EVP_EC_gen("P-256")} { REQUIRE(key_); }
    std::string public_key() const {
        unsigned char* der = nullptr;
        const int size = i2d_PUBKEY(key_.get(), &der);
        REQUIRE(size > 0);
        const std::string bytes{reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)};
        OPENSSL_free(der);
        return to_base64(bytes);
    }
    std::string sign(const std::string& message) const {
        const CPtr<EVP_MD_CTX, EVP_MD_CTX_free> context{EVP_MD_CTX_new()};
        std::string signature(128, '\0');
        std::size_t size = signature.size();
        REQUIRE(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
        REQUIRE(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                               &size, reinterpret_cast<const unsigned char*>(message.data()),
                               message.size()) == 1);
        signature.resize(size);
        return signature;
    }

private:
    CPtr<EVP_PKEY, EVP_PKEY_free> key_;
};

}  // namespace

TEST_CASE("Shopify's delivery is one, whatever id it comes under", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir kinds{"hook-kinds"};
    write_file_atomically(kinds.path() / "hook-shop.yaml", kShopifyLike + 1, 0644);
    std::filesystem::permissions(kinds.path(), std::filesystem::perms{0755});
    Hooked hooked{kQuiet,
                  "connector_kinds = " + kinds.path().string() + "\n",
                  "hook-shop",
                  {{"webhook_secret", Hooked::kSecret}}};
    const auto deliver = [&](const std::string& body, const std::string& id) {
        const auto mac = to_base64(hmac_sha256(Hooked::kSecret, body));
        const auto answer = hooked.post(
            hooked.path, body, {{"x-shopify-hmac-sha256", mac}, {"x-shopify-webhook-id", id}});
        REQUIRE(answer);
        CHECK(answer->status == 200);
        return hooked.deliveries().at(0);
    };
    const std::string body = R"({"id":1,"updated_at":"2026-11-22T03:00:00Z"})";
    CHECK(deliver(body, "first")["outcome"] == "accepted");
    const json again = deliver(body, "written by whoever has seen the first");
    CHECK(again["outcome"] == "duplicate");
    CHECK(again["delivery_id"] == "written by whoever has seen the first");
    CHECK(deliver(R"({"id":1,"updated_at":"2026-11-22T03:00:01Z"})", "x")["outcome"] == "accepted");
}

TEST_CASE("SendGrid's delivery is taken under its public key", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const Signer signer;
    Hooked hooked{"cat /work/.berth/*.body >&2",
                  "",
                  "sendgrid",
                  {{"api_key", "SG.a-key"}, {"webhook_public_key", signer.public_key()}}};
    const std::string body = R"([{"event":"delivered","sg_event_id":"1"}])";
    const auto now = std::to_string(to_micros(SystemClock{}.now()) / 1'000'000);
    const auto deliver = [&](const std::string& what, const std::string& signature) {
        const auto answer = hooked.post(hooked.path, what,
                                        {{"x-twilio-email-event-webhook-timestamp", now},
                                         {"x-twilio-email-event-webhook-signature", signature}});
        REQUIRE(answer);
        return answer->status;
    };
    const std::string good = to_base64(signer.sign(now + body));
    CHECK(deliver(body + " ", good) == 401);
    CHECK(deliver(body, to_base64(Signer{}.sign(now + body))) == 401);
    CHECK(deliver(body, good) == 200);
    CHECK(deliver(body, good) == 200);  // again: the same
    CHECK(hooked.deliveries().at(0)["outcome"] == "duplicate");
    const json run = hooked.last_run();
    CHECK(run["state"] == "succeeded");
    CHECK_THAT(hooked.daemon.run_log(run["id"]), Contains("sg_event_id"));
    CHECK_THAT(hooked.daemon.request("GET", "/metrics").body,
               Contains("\nberth_webhook_macs_total{verdict=\"wrong\"} 2\n") &&
                   Contains("\nberth_webhook_macs_total{verdict=\"right\"} 2\n"));
    // A key that is none is our side's fault, and told on the record only.
    hooked.daemon.must("PUT", hooked.of_tenant("connection"),
                       {{"secrets", {{"api_key", "SG.a-key"}, {"webhook_public_key", "AAAA"}}}});
    CHECK(deliver(body, good) == 503);
    REQUIRE(eventually([&] {
        return Contains("no public key")
            .match(hooked.deliveries().at(0)["reason"].get<std::string>());
    }));
}

TEST_CASE("who asks whether we are there is echoed, as text, and starts nothing", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir kinds{"hook-kinds"};
    const auto kind = [&](const std::string& name, const std::string& handshake) {
        write_file_atomically(
            kinds.path() / (name + ".yaml"),
            fmt::format("name: {}\ntitle: Echo\ndocumentation: https://example.com\nfields:\n"
                        "  - {{name: webhook_secret, label: Secret}}\nwebhook:\n"
                        "  signature_header: X-Signature\n{}",
                        name, handshake),
            0644);
    };
    kind("echo-query", "  handshake: echo_query\n  handshake_name: validationToken\n");
    kind("echo-header", "  handshake: echo_header\n  handshake_name: X-Hook-Secret\n");
    std::filesystem::permissions(kinds.path(), std::filesystem::perms{0755});
    const std::string settings = "connector_kinds = " + kinds.path().string() + "\n";
    const json secret{{"webhook_secret", Hooked::kSecret}};
    {
        Hooked hooked{kQuiet, settings, "echo-query", secret};
        Client client{hooked.public_socket()};
        for (const char* method : {"POST", "GET"}) {
            const auto said = client.request(
                method, hooked.path + "?validationToken=%3Cscript%3Ealert%281%29", "");
            REQUIRE(said);
            CHECK(said->status == 200);
            CHECK(said->body == "<script>alert(1)");
            CHECK_THAT(std::string{said->header("content-type")}, Contains("text/plain"));
        }
        CHECK(client.request("GET", hooked.path, "")->status == 404);
        CHECK(client.request("POST", hooked.path, "")->status == 401);
        hooked.daemon.must("DELETE", hooked.of_tenant("webhook"));
        CHECK(client.request("GET", hooked.path + "?validationToken=x", "")->status == 404);
        CHECK(hooked.runs().empty());
    }
    Hooked hooked{kQuiet, settings, "echo-header", secret};
    const auto said = hooked.post(hooked.path, "", {{"x-hook-secret", "abc123"}});
    REQUIRE(said);
    CHECK(said->status == 200);
    CHECK(said->header("x-hook-secret") == "abc123");
    CHECK(said->body.empty());
    CHECK(hooked.runs().empty());
}

TEST_CASE("what was answered with 200 is there when everything dies at once", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Hooked hooked{kQuiet};
    std::set<std::string> promised;
    for (int round = 0; round < 3; ++round) {
        // Killed in the moment of an answer: nothing is written any more by then.
        std::vector<std::thread> providers;
        std::mutex lock;
        std::atomic<bool> over{false};
        for (int p = 0; p < 3; ++p)
            providers.emplace_back([&, p] {
                Client client{hooked.public_socket()};
                for (int n = 0; !over; ++n) {
                    const auto id = fmt::format("{}-{}-{}", round, p, n);
                    const auto answer = client.request("POST", hooked.path, "{}",
                                                       Hooked::signed_by_github("{}", id));
                    if (!answer || answer->status != 200) return;
                    const std::lock_guard guard{lock};
                    promised.insert(id);
                }
            });
        const auto enough = [&] {
            const std::lock_guard guard{lock};
            return promised.size() >= static_cast<std::size_t>(20 * (round + 1));
        };
        const bool reached = eventually(enough);
        ::kill(hooked.daemon.pid_of("berthd"), SIGKILL);
        over = true;
        for (auto& provider : providers)
            provider.join();
        REQUIRE(reached);
        hooked.daemon.stop(SIGKILL);
        hooked.daemon.start();
    }
    // Each is known: delivered again it is a duplicate.
    for (const std::string& id : promised) {
        INFO(id);
        REQUIRE(hooked.deliver("{}", id).status == 200);
        REQUIRE(hooked.deliveries().at(0)["outcome"] == "duplicate");
    }
}
