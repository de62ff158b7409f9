#include "tests/webhooks/schemes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "base/cptr.h"
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
            "idempotency": "message",
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
        {"klaviyo", R"({"signature_header": "Klaviyo-Signature",
            "timestamp_header": "Klaviyo-Timestamp", "timestamp_form": "http_date",
            "message": "{body}{timestamp}", "event_pointer": "/data/0/topic"})"},
        {"sendgrid", R"({"algorithm": "ecdsa_p256", "encoding": "base64",
            "key_field": "webhook_public_key", "key_encoding": "base64",
            "signature_header": "X-Twilio-Email-Event-Webhook-Signature",
            "timestamp_header": "X-Twilio-Email-Event-Webhook-Timestamp",
            "message": "{timestamp}{body}"})"},
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
        case MacAlgorithm::ecdsa_p256: return vault::MacKind::ecdsa_p256;
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

using KeyPair = CPtr<EVP_PKEY, EVP_PKEY_free>;

KeyPair new_key_pair() {
    KeyPair key{EVP_EC_gen("P-256")};
    REQUIRE(key);
    return key;
}

// Of whoever signs with a key of his own; made once.
EVP_PKEY* signing_key() {
    static const KeyPair kKey = new_key_pair();
    return kKey.get();
}

// As SendGrid shows it.
std::string public_key(EVP_PKEY* key) {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key, &der);
    REQUIRE(size > 0);
    const std::string bytes{reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)};
    OPENSSL_free(der);
    return to_base64(bytes);
}

std::string signed_by_key(std::string_view message) {
    const CPtr<EVP_MD_CTX, EVP_MD_CTX_free> context{EVP_MD_CTX_new()};
    std::array<unsigned char, 128> signature{};
    std::size_t size = signature.size();
    REQUIRE(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, signing_key()) == 1);
    REQUIRE(EVP_DigestSign(context.get(), signature.data(), &size,
                           reinterpret_cast<const unsigned char*>(message.data()),
                           message.size()) == 1);
    return {reinterpret_cast<const char*>(signature.data()), size};
}

std::string mac_of(MacAlgorithm algorithm, const std::string& key, std::string_view message) {
    if (algorithm == MacAlgorithm::token) return key;
    if (algorithm == MacAlgorithm::ecdsa_p256) return signed_by_key(message);
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
    if (form == TimestampForm::http_date) {
        const std::time_t seconds = to_micros(when) / 1'000'000;
        std::tm parts{};
        std::array<char, 32> text{};
        ::gmtime_r(&seconds, &parts);
        return {text.data(),
                std::strftime(text.data(), text.size(), "%a, %d %b %Y %T GMT", &parts)};
    }
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
    if (provider == "sendgrid") return public_key(signing_key());
    return provider == "standard" ? "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                                  : "a secret of " + std::string{provider};
}

std::string another_secret(std::string_view provider, const std::string& secret) {
    if (provider == "sendgrid") return public_key(new_key_pair().get());
    return secret.starts_with("whsec_") && provider != "stripe"
               ? "whsec_" + to_base64("another secret")
               : secret + "x";
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
    const auto right =
        vault::any_right(mac_kind(scheme.algorithm), *key, proof.message, proof.candidates);
    return right && *right;
}

bool accepts(const WebhookScheme& scheme, const HookRequest& request, const std::string& secret,
             Time now) {
    const auto proof = read_proof(scheme, request, now);
    return proof && is_right(scheme, *proof, secret);
}

}  // namespace berth::testing
