// berth-oauth: one exchange with a provider's token endpoint, in a sandbox of its own
// (docs/decisions/033-oauth.md). What to do is in the environment, and so are the secrets;
// the answer goes to the standard output as records that berth-runner reads, the tokens
// among them to be sealed. The log says what happened, and nothing that is secret.
#include <curl/curl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "connectors/oauth/ask.h"
#include "connectors/oauth/exchange.h"

namespace berth {
namespace {

std::string from_environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

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

bool write_all(std::string_view text) {
    while (!text.empty()) {
        const auto wrote = ::write(STDOUT_FILENO, text.data(), text.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return true;
}

int run() {
    const auto request = parse_oauth_request(from_environment(oauth_env::kRequest));
    if (!request) {
        std::fprintf(stderr, "berth-oauth: %s\n", request.error().message.c_str());
        return 2;
    }
    if (::curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        std::fputs("berth-oauth: libcurl cannot be used\n", stderr);
        return 1;
    }
    const Exchanged exchanged = exchange(*request);
    std::fprintf(stderr, "%.*s: %.*s%s%s\n", static_cast<int>(to_string(request->grant).size()),
                 to_string(request->grant).data(),
                 static_cast<int>(to_string(exchanged.outcome.verdict).size()),
                 to_string(exchanged.outcome.verdict).data(),
                 exchanged.outcome.reason.empty() ? "" : ": ", exchanged.outcome.reason.c_str());
    return write_all(answer_text(exchanged)) ? 0 : 1;
}

}  // namespace
}  // namespace berth

int main() {
    try {
        return berth::run();
    } catch (const std::exception& error) {  // the boundary of the program
        std::fprintf(stderr, "berth-oauth: %s\n", error.what());
        return 1;
    }
}
