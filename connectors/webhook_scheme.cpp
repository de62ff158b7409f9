#include "connectors/webhook_scheme.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "connectors/webhook.h"

namespace berth {
namespace {

template <typename Word>
using Words = std::vector<std::pair<std::string_view, Word>>;

const Words<MacAlgorithm> kAlgorithms{{"hmac_sha256", MacAlgorithm::hmac_sha256},
                                      {"hmac_sha1", MacAlgorithm::hmac_sha1},
                                      {"hmac_sha512", MacAlgorithm::hmac_sha512},
                                      {"token", MacAlgorithm::token},
                                      {"ecdsa_p256", MacAlgorithm::ecdsa_p256}};
const Words<MacEncoding> kEncodings{{"hex", MacEncoding::hex}, {"base64", MacEncoding::base64}};
const Words<KeyEncoding> kKeyEncodings{
    {"raw", KeyEncoding::raw}, {"base64", KeyEncoding::base64}, {"hex", KeyEncoding::hex}};
const Words<TimestampForm> kTimestampForms{{"seconds", TimestampForm::seconds},
                                           {"milliseconds", TimestampForm::milliseconds},
                                           {"rfc3339", TimestampForm::rfc3339},
                                           {"http_date", TimestampForm::http_date}};
const Words<WebhookScheme::Idempotency> kIdempotencies{
    {"id", WebhookScheme::Idempotency::id}, {"message", WebhookScheme::Idempotency::message}};
const Words<WebhookScheme::Handshake> kHandshakes{
    {"none", WebhookScheme::Handshake::none},
    {"slack_url_verification", WebhookScheme::Handshake::slack_url_verification},
    {"echo_query", WebhookScheme::Handshake::echo_query},
    {"echo_header", WebhookScheme::Handshake::echo_header}};

constexpr std::int64_t kMaxWindow = 3600;

// Takes keys out of the object one by one; what is left over is a mistake.
class Reader {
public:
    Reader(const Json& scheme, const std::string& where) : scheme_{scheme}, where_{where} {}

    void text(const char* key, std::string& into) {
        const Json* value = take(key);
        if (value == nullptr) return;
        if (!value->is_string()) return wrong(key, "must be a text");
        into = value->get<std::string>();
    }
    void header(const char* key, std::string& into) {
        text(key, into);
        into = to_lower_ascii(into);
    }
    void pointer(const char* key, std::string& into) {
        text(key, into);
        try {
            (void)Json::json_pointer{into};
        } catch (const Json::exception&) {
            wrong(key, "must be a JSON pointer, like '/id'");
        }
    }
    template <typename Word>
    void word(const char* key, const Words<Word>& words, Word& into) {
        std::string given;
        text(key, given);
        if (given.empty()) return;
        std::string all;
        for (const auto& [name, value] : words) {
            all += fmt::format("{}{}", all.empty() ? "" : ", ", name);
            if (given != name) continue;
            into = value;
            return;
        }
        wrong(key, fmt::format("must be one of {}, not '{}'", all, printable(given, 40)));
    }
    void seconds(const char* key, std::chrono::seconds& into) {
        const Json* value = take(key);
        if (value == nullptr) return;
        const auto given = value->is_number_integer() ? value->get<std::int64_t>() : 0;
        if (given < 1 || given > kMaxWindow)
            return wrong(key, fmt::format("must be from 1 to {} seconds", kMaxWindow));
        into = std::chrono::seconds{given};
    }
    void wrong(std::string_view key, std::string_view what) {
        if (!wrong_.empty()) return;
        wrong_ = fmt::format("{}: '{}' {}", where_, key, what);
        wrong_key_ = key;
    }
    const std::string& wrong_key() const { return wrong_key_; }
    // The first thing that is wrong; a key that nobody took, too.
    std::string verdict() {
        for (const auto& [key, value] : scheme_.items())
            if (std::ranges::find(taken_, key) == taken_.end())
                wrong(printable(key, 40), "is no key of a webhook's scheme; check its spelling");
        return wrong_;
    }

private:
    const Json* take(const char* key) {
        taken_.emplace_back(key);
        const auto found = scheme_.find(key);
        return found == scheme_.end() ? nullptr : &*found;
    }

    const Json& scheme_;
    const std::string& where_;
    std::vector<std::string> taken_;
    std::string wrong_;
    std::string wrong_key_;
};

bool names(const WebhookScheme& scheme, std::string_view piece) {
    return scheme.message.find(piece) != std::string::npos;
}

void check_signature(Reader& reader, const WebhookScheme& scheme) {
    if (scheme.signature_header.empty() == scheme.signature_pointer.empty())
        reader.wrong("signature_header", "or 'signature_pointer' must say where the signature is");
    if (!scheme.signature_pointer.empty() && scheme.algorithm != MacAlgorithm::token)
        reader.wrong("signature_pointer", "is for tokens: no MAC covers a body that it lies in");
    const bool is_list = !scheme.list_separator.empty();
    if (is_list != !scheme.list_key.empty() || is_list != !scheme.list_key_separator.empty())
        reader.wrong("list_separator", "goes with 'list_key' and 'list_key_separator'");
    if (scheme.list_separator.size() > 1) reader.wrong("list_separator", "is one character");
    if (scheme.key_field.empty()) reader.wrong("key_field", "must not be empty");
}

// Whatever the receiver acts on must be under the MAC.
void check_message(Reader& reader, const WebhookScheme& scheme) {
    if (auto pieces = split_message(scheme.message); !pieces)
        reader.wrong("message", pieces.error().message);
    const bool dated = !scheme.timestamp_header.empty() || !scheme.timestamp_list_key.empty();
    if (scheme.algorithm == MacAlgorithm::token) {
        if (dated) reader.wrong("timestamp_header", "says nothing beside a token");
        if (scheme.idempotency == WebhookScheme::Idempotency::message)
            reader.wrong("idempotency", "cannot be 'message': a token signs none");
        return;
    }
    if (!names(scheme, "{body}") &&
        (!names(scheme, "{sorted_parameters}") || scheme.body_hash_parameter.empty() ||
         !(names(scheme, "{url}") || names(scheme, "{uri}"))))
        reader.wrong("message",
                     "must have {body}, or an address and {sorted_parameters} with "
                     "'body_hash_parameter': else anybody may write the body");
    if (dated != names(scheme, "{timestamp}"))
        reader.wrong("message", dated ? "must have {timestamp}: else anybody may write another"
                                      : "has {timestamp}, and nothing says where that is");
    if (!scheme.timestamp_header.empty() && !scheme.timestamp_list_key.empty())
        reader.wrong("timestamp_header", "and 'timestamp_list_key' cannot both be");
    if (!scheme.timestamp_list_key.empty() && scheme.list_separator.empty())
        reader.wrong("timestamp_list_key", "needs a list");
    if (names(scheme, "{id}") && scheme.id_header.empty())
        reader.wrong("message", "has {id}, and no 'id_header' says where that is");
}

}  // namespace

Result<WebhookScheme> parse_webhook_scheme(const Json& json, const std::string& where) {
    if (!json.is_object())
        return fail(FailureKind::invalid, "{}: a webhook's scheme has keys and values", where);
    WebhookScheme scheme;
    Reader reader{json, where};
    reader.word("algorithm", kAlgorithms, scheme.algorithm);
    reader.word("encoding", kEncodings, scheme.encoding);
    reader.word("key_encoding", kKeyEncodings, scheme.key_encoding);
    reader.text("key_prefix", scheme.key_prefix);
    reader.text("key_field", scheme.key_field);
    reader.header("signature_header", scheme.signature_header);
    reader.pointer("signature_pointer", scheme.signature_pointer);
    reader.text("signature_prefix", scheme.signature_prefix);
    reader.text("list_separator", scheme.list_separator);
    reader.text("list_key", scheme.list_key);
    reader.text("list_key_separator", scheme.list_key_separator);
    reader.header("timestamp_header", scheme.timestamp_header);
    reader.text("timestamp_list_key", scheme.timestamp_list_key);
    reader.word("timestamp_form", kTimestampForms, scheme.timestamp_form);
    reader.seconds("window", scheme.window);
    reader.text("message", scheme.message);
    reader.text("body_hash_parameter", scheme.body_hash_parameter);
    reader.header("id_header", scheme.id_header);
    reader.pointer("id_pointer", scheme.id_pointer);
    reader.word("idempotency", kIdempotencies, scheme.idempotency);
    reader.header("event_header", scheme.event_header);
    reader.pointer("event_pointer", scheme.event_pointer);
    reader.word("handshake", kHandshakes, scheme.handshake);
    reader.text("handshake_name", scheme.handshake_name);
    check_signature(reader, scheme);
    check_message(reader, scheme);
    const bool echoes = scheme.handshake == WebhookScheme::Handshake::echo_query ||
                        scheme.handshake == WebhookScheme::Handshake::echo_header;
    if (echoes == scheme.handshake_name.empty())
        reader.wrong("handshake_name", echoes ? "must say what is echoed" : "goes with an echo");
    if (const auto wrong = reader.verdict(); !wrong.empty())
        return fail_at(FailureKind::invalid, "/" + reader.wrong_key(), "{}", wrong);
    if (scheme.handshake == WebhookScheme::Handshake::echo_header)
        scheme.handshake_name = to_lower_ascii(scheme.handshake_name);
    return scheme;
}

}  // namespace berth
