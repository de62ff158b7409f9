// How a provider signs what it delivers, as data: from a delivery to the message that a
// MAC is made of and the MACs that it came with. Pure, and without any secret: whether one
// of them is right only berth-runner can tell, since it holds the shared secret.
#pragma once

#include <chrono>
#include <string>

namespace berth {

enum class MacAlgorithm {
    hmac_sha256,
    hmac_sha1,
    hmac_sha512,
    token,      // the secret itself
    ecdsa_p256  // a signature over SHA-256, in DER; what is stored is the provider's public key
};
enum class MacEncoding { hex, base64 };
enum class KeyEncoding { raw, base64, hex };  // of the shared secret, after its prefix
enum class TimestampForm { seconds, milliseconds, rfc3339, http_date };  // RFC 9110 5.6.7

// Names of headers are in lower case. The reader (webhook_scheme.h) refuses a scheme that
// would leave the body or the timestamp open to forgery.
struct WebhookScheme {
    MacAlgorithm algorithm = MacAlgorithm::hmac_sha256;
    MacEncoding encoding = MacEncoding::hex;  // of what is sent; a token is sent as it is
    KeyEncoding key_encoding = KeyEncoding::raw;
    std::string key_prefix;  // taken off the secret first: `whsec_`
    // Of the connection, or of the provisioning. One called the same with `_old` behind it
    // serves beside it: a secret that is being replaced.
    std::string key_field = "webhook_secret";
    std::string signature_header;   // `x-hub-signature-256`
    std::string signature_pointer;  // or a JSON pointer into the body, of a token
    std::string signature_prefix;   // `sha256=`
    // `v1,MAC v1,MAC` has separator ` ` and key `v1` with `,`; `t=1,v1=MAC` has `,`, `v1`, `=`.
    std::string list_separator;  // empty: the header is one signature
    std::string list_key;
    std::string list_key_separator;
    std::string timestamp_header;    // empty: none, or
    std::string timestamp_list_key;  // `t`: in the signature's own list
    TimestampForm timestamp_form = TimestampForm::seconds;
    std::chrono::seconds window{300};  // how old or new a timestamp may be
    // What is signed: {body} {timestamp} {id} {method} {url} {uri} {sorted_parameters}. The
    // address is the one outside, as the provider was given it; the parameters are a form's,
    // each name followed by its value, without anything between.
    std::string message = "{body}";
    // With {sorted_parameters}: a body that is no form is covered by its SHA-256, in hex, in
    // this parameter of the address.
    std::string body_hash_parameter;
    // The delivery's id, for idempotency. With neither, a delivery with a timestamp is known
    // by what was signed; one without is never taken for another.
    enum class Idempotency {
        id,
        // What was signed is the id, whatever the provider says: of those whose bodies never
        // repeat, and whose id is not signed. Else whoever has seen a delivery could deliver
        // it again under another id.
        message
    };
    Idempotency idempotency = Idempotency::id;
    std::string id_header;
    std::string id_pointer;    // a JSON pointer into the body
    std::string event_header;  // what it is about; or
    std::string event_pointer;
    // Asked of the endpoint before anything is delivered, answered without a run.
    // slack_url_verification is signed like a delivery; the two others are not.
    enum class Handshake { none, slack_url_verification, echo_query, echo_header };
    Handshake handshake = Handshake::none;
    std::string handshake_name;  // of the query's parameter or of the header
    bool operator==(const WebhookScheme&) const = default;
};

}  // namespace berth
