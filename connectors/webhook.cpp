#include "connectors/webhook.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "connectors/encoding.h"
#include "model/json.h"
#include "model/limits.h"

namespace berth {
namespace {

using Pairs = HookRequest::Pairs;
using Handshake = WebhookScheme::Handshake;

constexpr std::size_t kMostCandidates = 16;  // of one delivery; each costs the runner a compare
// What is taken apart before it is known who sent it costs the loop's time, and memory many
// times its size.
constexpr std::ptrdiff_t kMostParameters = 1'000;
constexpr std::size_t kMostUnsignedJson = std::size_t{256} << 10;
constexpr std::array<std::string_view, 7> kPieces{
    "{body}", "{timestamp}", "{id}", "{method}", "{url}", "{uri}", "{sorted_parameters}"};

auto denied(std::string_view why) { return fail(FailureKind::denied, "{}", why); }

// Of what comes twice there is no telling which one another reader would take.
const std::string* only(const Pairs& pairs, std::string_view name) {
    const std::string* found = nullptr;
    for (const auto& [key, value] : pairs) {
        if (key != name) continue;
        if (found != nullptr) return nullptr;
        found = &value;
    }
    return found;
}

// A text or a number at that place of the body; empty when there is none.
std::string at_pointer(const Json& body, const std::string& pointer) {
    if (pointer.empty()) return {};
    try {
        const Json& value = body.at(Json::json_pointer{pointer});
        if (value.is_string()) return value.get<std::string>();
        if (value.is_number_integer()) return to_text(value);
    } catch (const Json::exception&) {  // not there
    }
    return {};
}

Json parsed_body(const HookRequest& request) {
    auto json = parse_json(request.body);
    return json ? *std::move(json) : Json{};
}

bool is_form(const HookRequest& request) {
    const auto* type = only(request.headers, "content-type");
    return type != nullptr && to_lower_ascii(trim(type->substr(0, type->find(';')))) ==
                                  "application/x-www-form-urlencoded";
}

// `k1v1k2v2`, by name; a value that comes twice under a name counts once.
std::string sorted_parameters(std::string_view form) {
    std::map<std::string, std::vector<std::string>> values;
    for (const std::string& pair : split(form, '&')) {
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        auto& of_name = values[decode_form(pair.substr(0, equals))];
        of_name.push_back(equals == pair.npos ? "" : decode_form(pair.substr(equals + 1)));
    }
    std::string text;
    for (auto& [name, of_name] : values) {
        std::ranges::sort(of_name);
        of_name.erase(std::unique(of_name.begin(), of_name.end()), of_name.end());
        for (const auto& value : of_name)
            text += name + value;
    }
    return text;
}

// What of the signature's header has this key: `v1=…`, `v1,…`.
std::vector<std::string> of_list(const WebhookScheme& scheme, std::string_view header,
                                 std::string_view key) {
    std::vector<std::string> found;
    for (const std::string& raw : split(header, scheme.list_separator.front())) {
        const std::string_view item = trim(raw);
        const auto mark = item.find(scheme.list_key_separator);
        if (mark == item.npos || item.substr(0, mark) != key) continue;
        found.emplace_back(item.substr(mark + scheme.list_key_separator.size()));
    }
    return found;
}

Result<std::vector<std::string>> claimed(const WebhookScheme& scheme, const HookRequest& request) {
    std::string header;
    if (scheme.signature_header.empty()) {
        if (request.body.size() > kMostUnsignedJson)
            return denied("its signature lies in a body that is too large to be looked through");
        header = at_pointer(parsed_body(request), scheme.signature_pointer);
    } else if (const auto* found = only(request.headers, scheme.signature_header)) {
        header = trim(*found);
    }
    if (header.empty()) return denied("it has no signature");

    std::vector<std::string> texts{header};
    if (!scheme.list_separator.empty()) texts = of_list(scheme, header, scheme.list_key);
    if (texts.size() > kMostCandidates) return denied("it has too many signatures");
    std::vector<std::string> candidates;
    for (const std::string_view text : texts) {
        if (!text.starts_with(scheme.signature_prefix)) continue;
        const auto value = text.substr(scheme.signature_prefix.size());
        if (scheme.algorithm == MacAlgorithm::token) {
            candidates.emplace_back(value);
            continue;
        }
        auto bytes = scheme.encoding == MacEncoding::hex ? from_hex(value) : decode_base64(value);
        if (bytes && !bytes->empty()) candidates.push_back(*std::move(bytes));
    }
    if (candidates.empty()) return denied("its signature cannot be read");
    return candidates;
}

std::optional<Time> time_of(TimestampForm form, std::string_view text) {
    if (form == TimestampForm::rfc3339) return parse_rfc3339(text);
    if (form == TimestampForm::http_date) return parse_http_date(text);
    const auto number = to_number<std::int64_t>(text);
    const std::int64_t unit = form == TimestampForm::seconds ? 1'000'000 : 1'000;
    constexpr std::int64_t kLatest = 100'000'000'000'000'000;  // microseconds: the year 5138
    if (!number || *number < 0 || *number > kLatest / unit) return {};
    return time_from_micros(*number * unit);
}

bool is_dated(const WebhookScheme& scheme) {
    return !scheme.timestamp_header.empty() || !scheme.timestamp_list_key.empty();
}

// As it is written, since so it is signed.
Result<std::string> timestamp(const WebhookScheme& scheme, const HookRequest& request, Time now) {
    std::string text;
    if (!scheme.timestamp_header.empty()) {
        if (const auto* found = only(request.headers, scheme.timestamp_header)) text = *found;
    } else if (const auto* list = only(request.headers, scheme.signature_header)) {
        const auto found = of_list(scheme, *list, scheme.timestamp_list_key);
        if (found.size() == 1) text = found.front();
    }
    if (text.empty()) return denied("it has no timestamp");
    const auto time = time_of(scheme.timestamp_form, text);
    if (!time) return denied("its timestamp cannot be read");
    if (*time < now - scheme.window) return denied("its timestamp is too old");
    if (*time > now + scheme.window) return denied("its timestamp is in the future");
    return text;
}

Result<std::string> parameters(const WebhookScheme& scheme, const HookRequest& request) {
    if (is_form(request)) {
        if (std::ranges::count(request.body, '&') >= kMostParameters)
            return denied("it has too many parameters");
        return sorted_parameters(request.body);
    }
    // The MAC covers the address, and that covers the body.
    const auto* hash = only(request.query, scheme.body_hash_parameter);
    if (hash == nullptr) return denied("its body is no form, and the address has no hash of it");
    const auto bytes = from_hex(*hash);
    if (!bytes || *bytes != sha256(request.body))
        return denied("its body is not the one that the address has the hash of");
    return std::string{};
}

Result<std::string> piece(const WebhookScheme& scheme, const HookRequest& request, Time now,
                          std::string_view name) {
    if (name == "{body}") return request.body;
    if (name == "{timestamp}") return timestamp(scheme, request, now);
    if (name == "{method}") return request.method;
    if (name == "{url}") return request.url;
    if (name == "{uri}") return request.uri;
    if (name == "{sorted_parameters}") return parameters(scheme, request);
    if (name != "{id}") return std::string{name};
    const auto* id = only(request.headers, scheme.id_header);
    if (id == nullptr || id->empty()) return denied("it has no id");
    return *id;
}

bool is_challenge(std::string_view text) {
    return !text.empty() && text.size() <= limits::kWebhookChallengeBytes && is_utf8(text) &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

bool is_private(const WebhookScheme& scheme, std::string_view name) {
    constexpr std::array<std::string_view, 10> kPrivate{
        "authorization", "proxy-authorization", "cookie",    "connection", "transfer-encoding",
        "via",           "forwarded",           "x-real-ip", "te",         "upgrade"};
    return std::ranges::find(kPrivate, name) != kPrivate.end() ||
           name.starts_with("x-forwarded-") ||
           (scheme.algorithm == MacAlgorithm::token && name == scheme.signature_header);
}

}  // namespace

Result<std::vector<std::string>> split_message(std::string_view message) {
    std::vector<std::string> pieces;
    while (!message.empty()) {
        const auto open = message.front() == '{' ? 0 : message.find('{');
        if (open != 0) {
            pieces.emplace_back(message.substr(0, open));
            message.remove_prefix(pieces.back().size());
            continue;
        }
        const auto name = message.substr(0, message.find('}') + 1);
        if (std::ranges::find(kPieces, name) == kPieces.end())
            return fail(FailureKind::invalid, "names '{}'; there are {}",
                        printable(name.empty() ? message : name, 40), fmt::join(kPieces, " "));
        pieces.emplace_back(name);
        message.remove_prefix(name.size());
    }
    return pieces;
}

std::optional<HookAnswer> unsigned_handshake(const WebhookScheme& scheme,
                                             const HookRequest& request) {
    if (scheme.handshake == Handshake::echo_query) {
        const auto* challenge = only(request.query, scheme.handshake_name);
        if (challenge == nullptr || !is_challenge(*challenge)) return {};
        return HookAnswer{.body = *challenge};
    }
    if (scheme.handshake == Handshake::echo_header) {
        const auto* challenge = only(request.headers, scheme.handshake_name);
        if (challenge == nullptr || !is_challenge(*challenge)) return {};
        return HookAnswer{.body = {}, .headers = {{scheme.handshake_name, *challenge}}};
    }
    return {};
}

Result<HookProof> read_proof(const WebhookScheme& scheme, const HookRequest& request, Time now) {
    auto candidates = claimed(scheme, request);
    if (!candidates) return pass_on(candidates);
    HookProof proof{{}, *std::move(candidates)};
    if (scheme.algorithm == MacAlgorithm::token) return proof;
    auto pieces = split_message(scheme.message);
    if (!pieces) return pass_on(pieces);
    for (const std::string& name : *pieces) {
        auto text = piece(scheme, request, now, name);
        if (!text) return pass_on(text);
        proof.message += *text;
    }
    return proof;
}

HookSubject read_subject(const WebhookScheme& scheme, const HookRequest& request,
                         const HookProof& proof) {
    HookSubject subject;
    const bool slack = scheme.handshake == Handshake::slack_url_verification;
    Json body;
    if (slack || !scheme.id_pointer.empty() || !scheme.event_pointer.empty())
        body = parsed_body(request);
    if (slack && body.is_object() && at_pointer(body, "/type") == "url_verification")
        if (auto challenge = at_pointer(body, "/challenge"); is_challenge(challenge))
            subject.answer = HookAnswer{.body = std::move(challenge)};

    if (const auto* id = only(request.headers, scheme.id_header); id != nullptr)
        subject.id = *id;
    else if (!scheme.id_pointer.empty())
        subject.id = at_pointer(body, scheme.id_pointer);
    subject.key = subject.id;
    const bool by_message = scheme.idempotency == WebhookScheme::Idempotency::message;
    if (by_message || (subject.id.empty() && is_dated(scheme)))
        subject.key = to_hex(sha256(proof.message));
    if (subject.id.empty()) subject.id = subject.key;

    if (const auto* event = only(request.headers, scheme.event_header); event != nullptr)
        subject.event = *event;
    else
        subject.event = at_pointer(body, scheme.event_pointer);
    return subject;
}

std::string kept_headers(const WebhookScheme& scheme, const Pairs& headers, std::size_t most) {
    Json kept = Json::object();
    std::size_t bytes = 0;
    for (const auto& [name, value] : headers) {
        bytes += name.size() + value.size();
        if (is_private(scheme, name) || bytes > most) {
            bytes -= name.size() + value.size();
            continue;
        }
        if (const auto before = kept.find(name); before != kept.end())
            *before = before->get<std::string>() + ", " + value;
        else
            kept[name] = value;
    }
    return to_text(kept);
}

}  // namespace berth
