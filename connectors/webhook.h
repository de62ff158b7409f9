// One delivery of a provider, read by its scheme: from a request to the message that a MAC
// is made of and the MACs that came with it, and, once berth-runner has found one of them
// right, to what the delivery is. Pure. Everything here is written by a stranger.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/signature.h"

namespace berth {

// As it came; names of headers in lower case, the query decoded.
struct HookRequest {
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    std::string method;
    std::string url;  // as the provider knows it: `https://hooks.example.com/hooks/…?a=b`
    std::string uri;  // its path and query
    Pairs query;
    Pairs headers;
    std::string body;
};

// What is said to a provider that only asks.
struct HookAnswer {
    std::string body;
    std::string content_type = "text/plain; charset=utf-8";
    HookRequest::Pairs headers{};
};

// A question that is not signed, such as an echo; nothing when it is none of the scheme's.
std::optional<HookAnswer> unsigned_handshake(const WebhookScheme& scheme,
                                             const HookRequest& request);

// To be checked under the shared secret: one of `candidates` (raw bytes) is the MAC of
// `message`, or with MacAlgorithm::token the secret itself.
struct HookProof {
    std::string message;
    std::vector<std::string> candidates;
};
// `denied`, with a reason that is for the record and not for the sender: no signature, one
// that cannot be read, too old or too new.
Result<HookProof> read_proof(const WebhookScheme& scheme, const HookRequest& request, Time now);

// What a delivery with a right proof is.
struct HookSubject {
    std::string id;                    // the provider's, for people; empty: nothing tells
    std::string key;                   // the same for the same delivery; empty: nothing tells
    std::string event;                 // `push`; empty: nothing tells
    std::optional<HookAnswer> answer;  // it is a question, and no delivery
};
HookSubject read_subject(const WebhookScheme& scheme, const HookRequest& request,
                         const HookProof& proof);

// What a run gets to see of the headers, as a JSON object's text: all but those that prove
// something to us or to the proxy, and of no more than `most` bytes together.
std::string kept_headers(const WebhookScheme& scheme, const HookRequest::Pairs& headers,
                         std::size_t most);

// `v0:{timestamp}:{body}` → {`v0:`, `{timestamp}`, `:`, `{body}`}; refused when it names what
// there is not.
Result<std::vector<std::string>> split_message(std::string_view message);

}  // namespace berth
