// One exchange with a token or revocation endpoint (RFC 6749 4.1.3, 4.4.2, 5, 6; RFC 7009),
// without the network: what is sent, and what is made of the answer, whoever sent it and
// whatever it is.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/oauth_request.h"

namespace berth {

// From the environment; what is not needed is empty.
struct OAuthSecrets {
    std::string client_id;
    std::string client_secret;
    std::string code;
    std::string verifier;
    std::string refresh_token;
    std::string access_token;  // to be revoked when there is no refresh token
};

struct TokenForm {
    std::string content_type;
    std::string body;
    std::string authorization;  // of the header, or empty
};
// The refusal names what is missing.
Result<TokenForm> make_form(const OAuthRequest& request, const OAuthSecrets& secrets);

inline constexpr std::size_t kTokenAnswerBytes = 1024 * 1024;

struct HttpAnswer {
    int status = 0;
    std::string retry_after;  // the header's value
    std::string body;
};

struct Exchanged {
    OAuthOutcome outcome;
    std::map<std::string, std::string> secrets;  // access_token, refresh_token and fields
};
// Never throws, and never puts a secret of either side into `outcome`.
Exchanged judge(const OAuthRequest& request, const OAuthSecrets& secrets, const HttpAnswer& answer);
// The provider could not be asked.
Exchanged not_reached(const OAuthRequest& request, std::string_view why);
// Something is wrong here.
Exchanged our_fault(const OAuthRequest& request, std::string_view why);

// As records for berth-runner (model/job_answer.h).
std::string answer_text(const Exchanged& exchanged);

}  // namespace berth
