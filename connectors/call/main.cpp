// berth-call: one HTTP request to a partner, in a sandbox of its own. What to ask is in a
// file below /work, the secrets are in the environment; the answer goes to the standard
// output as records that berth-runner reads. What was made of secrets is among them as
// secrets that nobody asks to be sealed: so the runner masks it wherever it is echoed.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "connectors/call/perform.h"
#include "connectors/job_main.h"
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

Result<std::string> run() {
    auto request = read_request();
    if (!request) return pass_on(request);
    std::string text;
    const CallAnswer answer = call(*request, text);
    const auto target = parse_call_target(request->url);
    const std::string said = fmt::format(
        "{} {}: {}\n", request->method, target ? target->host : "?",
        answer.fault == CallFault::none ? std::to_string(answer.status) : answer.reason);
    std::fputs(said.c_str(), stderr);
    for (const auto& [name, value] : to_fields(answer))
        put_plain(text, name, value);
    put_end(text);
    return text;
}

}  // namespace
}  // namespace berth

int main() { return berth::job_main("berth-call", berth::run); }
