// berth-oauth: one exchange with a provider's token endpoint, in a sandbox of its own
// (docs/decisions/033-oauth.md). What to do is in the environment, and so are the secrets;
// the answer goes to the standard output as records that berth-runner reads, the tokens
// among them to be sealed. The log says what happened, and nothing that is secret.
#include <cstdio>

#include "connectors/job_main.h"
#include "connectors/oauth/ask.h"
#include "connectors/oauth/exchange.h"

namespace berth {
namespace {

OAuthSecrets read_secrets() {
    using namespace oauth_env;
    return {from_environment(kClientId),     from_environment(kClientSecret),
            from_environment(kCode),         from_environment(kVerifier),
            from_environment(kRefreshToken), from_environment(kAccessToken)};
}

Exchanged exchange(const OAuthRequest& request) {
    const OAuthSecrets secrets = read_secrets();
    const auto form = make_form(request, secrets);
    if (!form) return our_fault(request, form.error().message);
    const auto answer = ask_provider(request, *form);
    if (answer) return judge(request, secrets, *answer);
    if (answer.error().kind == FailureKind::unavailable)
        return not_reached(request, answer.error().message);
    return our_fault(request, answer.error().message);
}

Result<std::string> run() {
    auto request = parse_oauth_request(from_environment(oauth_env::kRequest));
    if (!request) return pass_on(request);
    const Exchanged exchanged = exchange(*request);
    const OAuthOutcome& outcome = exchanged.outcome;
    const std::string said =
        fmt::format("{}: {}{}{}\n", to_string(request->grant), to_string(outcome.verdict),
                    outcome.reason.empty() ? "" : ": ", outcome.reason);
    std::fputs(said.c_str(), stderr);
    return answer_text(exchanged);
}

}  // namespace
}  // namespace berth

int main() { return berth::job_main("berth-oauth", berth::run); }
