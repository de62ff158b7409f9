// berth-call: one HTTP request to a partner, in a sandbox of its own. What to ask is in a
// file below /work, the secrets are in the environment; the answer goes to the standard
// output as records that berth-runner reads. What was made of secrets is among them as
// secrets that nobody asks to be sealed: so the runner masks it wherever it is echoed.
#include <curl/curl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <sstream>

#include "base/secret.h"
#include "connectors/call/perform.h"
#include "model/job_answer.h"

namespace berth {
namespace {

Result<CallRequest> read_request() {
    std::ifstream file{std::string{"/work/"} + kCallRequestFile, std::ios::binary};
    std::stringstream all;
    all << file.rdbuf();
    if (!file) return fail(FailureKind::invalid, "there is no request");
    return parse_call_request(all.str());
}

std::optional<std::string_view> field(const CallRequest& request, std::string_view name) {
    for (const std::string& secret : request.secrets) {
        if (secret != name) continue;
        const char* value = std::getenv((std::string{kCallSecretPrefix} + secret).c_str());
        if (value != nullptr) return value;
    }
    const auto found = request.fields.find(std::string{name});
    if (found == request.fields.end()) return {};
    return found->second;
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

CallAnswer call(const CallRequest& request, std::string& text) {
    const auto auth =
        fill_auth(request.auth, [&](std::string_view name) { return field(request, name); });
    if (!auth) {
        CallAnswer refused;
        refused.fault = CallFault::refused;
        refused.reason = auth.error().message;
        return refused;
    }
    int number = 0;
    for (const std::string& made : auth->made_of_secrets)
        put_secret(text, "sent_" + std::to_string(++number), made);
    return perform(request, *auth);
}

int run() {
    const auto request = read_request();
    if (!request) {
        std::fprintf(stderr, "berth-call: %s\n", request.error().message.c_str());
        return 2;
    }
    if (::curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        std::fputs("berth-call: libcurl cannot be used\n", stderr);
        return 1;
    }
    std::string text;
    const CallAnswer answer = call(*request, text);
    const auto target = parse_call_target(request->url);
    std::fprintf(stderr, "%s %s: %s\n", request->method.c_str(),
                 target ? target->host.c_str() : "?",
                 answer.fault == CallFault::none ? std::to_string(answer.status).c_str()
                                                 : answer.reason.c_str());
    for (const auto& [name, value] : to_fields(answer))
        put_plain(text, name, value);
    put_end(text);
    const bool written = write_all(text);
    cleanse(text.data(), text.size());
    return written ? 0 : 1;
}

}  // namespace
}  // namespace berth

int main() {
    try {
        return berth::run();
    } catch (const std::exception& error) {  // the boundary of the program
        std::fprintf(stderr, "berth-call: %s\n", error.what());
        return 1;
    }
}
