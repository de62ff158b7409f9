#include "tests/webhooks/schemes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "vault/mac.h"

namespace berth::testing {
namespace {

const std::map<std::string, std::string, std::less<>>& texts() {
    static const std::map<std::string, std::string, std::less<>> kTexts{
        {"github", R"({"signature_header": "X-Hub-Signature-256", "signature_prefix": "sha256=",
            "id_header": "X-GitHub-Delivery", "event_header": "X-GitHub-Event"})"},
        {"standard", R"({"encoding": "base64", "key_encoding": "base64", "key_prefix": "whsec_",
            "signature_header": "webhook-signature", "list_separator": " ", "list_key": "v1",
            "list_key_separator": ",", "timestamp_header": "webhook-timestamp",
            "message": "{id}.{timestamp}.{body}", "id_header": "webhook-id",
            "event_pointer": "/type"})"},
        {"stripe", R"({"signature_header": "Stripe-Signature", "list_separator": ",",
            "list_key": "v1", "list_key_separator": "=", "timestamp_list_key": "t",
            "message": "{timestamp}.{body}", "id_pointer": "/id", "event_pointer": "/type"})"},
        {"slack", R"({"key_field": "signing_secret", "signature_header": "X-Slack-Signature",
            "signature_prefix": "v0=", "timestamp_header": "X-Slack-Request-Timestamp",
            "message": "v0:{timestamp}:{body}", "id_pointer": "/event_id",
            "event_pointer": "/event/type", "handshake": "slack_url_verification"})"},
        {"shopify", R"({"key_field": "client_secret", "encoding": "base64",
            "signature_header": "X-Shopify-Hmac-SHA256", "id_header": "X-Shopify-Webhook-Id",
            "event_header": "X-Shopify-Topic"})"},
        {"hubspot", R"({"key_field": "client_secret", "encoding": "base64",
            "signature_header": "X-HubSpot-Signature-v3",
            "timestamp_header": "X-HubSpot-Request-Timestamp", "timestamp_form": "milliseconds",
            "message": "{method}{url}{body}{timestamp}"})"},
        {"gitlab", R"({"algorithm": "token", "signature_header": "X-Gitlab-Token",
            "id_header": "X-Gitlab-Event-UUID", "event_header": "X-Gitlab-Event"})"},
        {"twilio", R"({"algorithm": "hmac_sha1", "encoding": "base64", "key_field": "auth_token",
            "signature_header": "X-Twilio-Signature", "message": "{url}{sorted_parameters}",
            "body_hash_parameter": "bodySHA256", "id_header": "I-Twilio-Idempotency-Token"})"},
        {"graph", R"({"algorithm": "token", "key_field": "client_state",
            "signature_pointer": "/value/0/clientState", "handshake": "echo_query",
            "handshake_name": "validationToken"})"},
        {"zendesk", R"({"encoding": "base64", "signature_header": "X-Zendesk-Webhook-Signature",
            "timestamp_header": "X-Zendesk-Webhook-Signature-Timestamp",
            "timestamp_form": "rfc3339", "message": "{timestamp}{body}"})"},
        {"generic", R"({"algorithm": "hmac_sha512", "signature_header": "X-Signature",
            "id_header": "X-Delivery-Id"})"},
    };
    return kTexts;
}

vault::MacKind mac_kind(MacAlgorithm algorithm) {
    switch (algorithm) {
        case MacAlgorithm::hmac_sha256: return vault::MacKind::hmac_sha256;
        case MacAlgorithm::hmac_sha1: return vault::MacKind::hmac_sha1;
        case MacAlgorithm::hmac_sha512: return vault::MacKind::hmac_sha512;
        case MacAlgorithm::token: return vault::MacKind::token;
    }
    std::abort();
}

vault::MacKeyForm key_form(KeyEncoding encoding) {
    switch (encoding) {
        case KeyEncoding::raw: return vault::MacKeyForm::raw;
        case KeyEncoding::base64: return vault::MacKeyForm::base64;
        case KeyEncoding::hex: return vault::MacKeyForm::hex;
    }
    std::abort();
}

std::string mac_of(MacAlgorithm algorithm, const std::string& key, std::string_view message) {
    if (algorithm == MacAlgorithm::token) return key;
    const EVP_MD* digest = algorithm == MacAlgorithm::hmac_sha1     ? EVP_sha1()
                           : algorithm == MacAlgorithm::hmac_sha512 ? EVP_sha512()
                                                                    : EVP_sha256();
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    REQUIRE(HMAC(digest, key.data(), static_cast<int>(key.size()),
                 reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                 bytes.data(), &size) != nullptr);
    return {reinterpret_cast<const char*>(bytes.data()), size};
}

std::string time_text(TimestampForm form, Time when) {
    if (form == TimestampForm::rfc3339) return to_rfc3339(when);
    return std::to_string(to_micros(when) / (form == TimestampForm::seconds ? 1'000'000 : 1'000));
}

}  // namespace

WebhookScheme parse_scheme(const std::string& json) {
    auto scheme = parse_webhook_scheme(Json::parse(json), "kind.yaml");
    if (!scheme) FAIL(scheme.error().message);
    return *scheme;
}

WebhookScheme scheme_of(std::string_view provider) {
    return parse_scheme(texts().find(provider)->second);
}

const std::vector<std::string>& providers() {
    static const auto kNames = [] {
        std::vector<std::string> names;
        for (const auto& [name, text] : texts())
            names.push_back(name);
        return names;
    }();
    return kNames;
}

std::string secret_of(std::string_view provider) {
    return provider == "standard" ? "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                                  : "a secret of " + std::string{provider};
}

void set_header(HookRequest& request, const std::string& name, std::string value) {
    std::erase_if(request.headers, [&](const auto& pair) { return pair.first == name; });
    request.headers.emplace_back(name, std::move(value));
}

const std::string& header(const HookRequest& request, std::string_view name) {
    const auto found =
        std::ranges::find_if(request.headers, [&](const auto& pair) { return pair.first == name; });
    REQUIRE(found != request.headers.end());
    return found->second;
}

HookRequest signed_request(const WebhookScheme& scheme, const std::string& secret, std::string body,
                           Time when, const std::string& id) {
    HookRequest request{
        "POST",       "https://hooks.example.com/hooks/t0ken?a=b", "/hooks/t0ken?a=b",
        {{"a", "b"}}, {{"content-type", "application/json"}},      std::move(body)};
    if (!scheme.id_header.empty()) set_header(request, scheme.id_header, id);
    const std::string time = time_text(scheme.timestamp_form, when);
    if (!scheme.timestamp_header.empty()) set_header(request, scheme.timestamp_header, time);
    if (!scheme.body_hash_parameter.empty()) {
        const std::string hash = to_hex(sha256(request.body));
        request.query.emplace_back(scheme.body_hash_parameter, hash);
        request.url += "&" + scheme.body_hash_parameter + "=" + hash;
    }
    if (!scheme.signature_pointer.empty()) return request;  // it is in the body
    const auto put = [&](const std::string& mac) {
        const std::string text =
            scheme.signature_prefix + (scheme.algorithm == MacAlgorithm::token ? mac
                                       : scheme.encoding == MacEncoding::hex   ? to_hex(mac)
                                                                               : to_base64(mac));
        std::string value = text;
        if (!scheme.list_separator.empty())
            value = scheme.list_key + scheme.list_key_separator + text;
        if (!scheme.timestamp_list_key.empty())
            value = scheme.timestamp_list_key + scheme.list_key_separator + time +
                    scheme.list_separator + value;
        set_header(request, scheme.signature_header, value);
    };
    put("x");  // so that the message can be read
    const auto proof = read_proof(scheme, request, when);
    if (!proof) FAIL(proof.error().message);
    const auto key =
        vault::decode_mac_key(Secret{secret}, scheme.key_prefix, key_form(scheme.key_encoding));
    REQUIRE(key);
    put(mac_of(scheme.algorithm, std::string{key->reveal()}, proof->message));
    return request;
}

bool is_right(const WebhookScheme& scheme, const HookProof& proof, const std::string& secret) {
    const auto key =
        vault::decode_mac_key(Secret{secret}, scheme.key_prefix, key_form(scheme.key_encoding));
    REQUIRE(key);
    return vault::any_fits(vault::Mac::of(mac_kind(scheme.algorithm), *key, proof.message),
                           proof.candidates);
}

bool accepts(const WebhookScheme& scheme, const HookRequest& request, const std::string& secret,
             Time now) {
    const auto proof = read_proof(scheme, request, now);
    return proof && is_right(scheme, *proof, secret);
}

}  // namespace berth::testing
