// How a provider signs what it delivers, as data: from a delivery to the message that a
// MAC is made of and the MACs that it came with. Pure, and without any secret: whether one
// of them is right only berth-runner can tell, since it holds the shared secret.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace berth {

enum class MacAlgorithm { hmac_sha256, hmac_sha1, hmac_sha512, token };  // token: the secret itself
enum class MacEncoding { hex, base64 };
enum class KeyEncoding { raw, base64, hex };  // of the shared secret, after its prefix

struct WebhookScheme {
    MacAlgorithm algorithm = MacAlgorithm::hmac_sha256;
    MacEncoding encoding = MacEncoding::hex;
    KeyEncoding key_encoding = KeyEncoding::raw;
    std::string key_prefix;                    // taken off the secret first: `whsec_`
    std::string key_field = "webhook_secret";  // of the connection, or of the provisioning
    std::string signature_header;              // `X-Hub-Signature-256`
    std::string signature_prefix;              // `sha256=`
    // `v1,MAC v1,MAC` has separator ` ` and key `v1` with `,`; `t=1,v1=MAC` has `,`, `v1`, `=`.
    std::string list_separator;  // empty: the header is one signature
    std::string list_key;
    std::string list_key_separator;
    std::string timestamp_header;  // empty: none, or `timestamp_list_key` of the list
    std::string timestamp_list_key;
    bool timestamp_in_milliseconds = false;
    std::chrono::seconds window{300};  // how old or new a timestamp may be
    // What is signed: {body} {timestamp} {id} {method} {url} {uri} {sorted_parameters}.
    std::string message = "{body}";
    std::string id_header;     // the delivery's id, for idempotency; empty: the body's hash
    std::string id_pointer;    // or a JSON pointer into the body
    std::string event_header;  // what it is about; or
    std::string event_pointer;
    // Asked of the endpoint before anything is delivered, answered without a run.
    enum class Handshake { none, slack_url_verification, echo_query, echo_header };
    Handshake handshake = Handshake::none;
    std::string handshake_name;  // of the query's parameter or of the header
    bool operator==(const WebhookScheme&) const = default;
};

}  // namespace berth
