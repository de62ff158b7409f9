#include "daemon/grants.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::size_t kCallBytes = 40;  // the longest system call has 28

Result<void> take_path(Granted& granted, std::string_view text) {
    const std::filesystem::path path = std::filesystem::path{text}.lexically_normal();
    if (!granted.writable_path.empty())
        return fail(FailureKind::invalid, "gives two writable paths; a run has one, at /data");
    // '=' separates the name from the folder on the launcher's command line.
    if (!path.is_absolute() || path == "/" || printable(text, limits::kCommandBytes) != text)
        return fail(FailureKind::invalid, "has 'writable_path:{}', which is no absolute path",
                    printable(text, 80));
    granted.writable_path = path.has_filename() ? path : path.parent_path();
    return {};
}

Result<void> take_calls(Granted& granted, std::string_view text) {
    for (const std::string& call : split(text, '+')) {
        const bool good =
            !call.empty() && call.size() <= kCallBytes && std::ranges::all_of(call, [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
            });
        if (!good)
            return fail(FailureKind::invalid,
                        "has '{}' among extra_syscalls, which is no name of a system call; join "
                        "several with '+'",
                        printable(call, 80));
        granted.extra_syscalls.push_back(call);
    }
    auto& calls = granted.extra_syscalls;
    std::ranges::sort(calls);
    calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
    return {};
}

}  // namespace

const Granted& granted_to(const GrantTable& table, std::string_view integration) {
    static const Granted nothing;
    auto found = table.find(integration);
    if (found == table.end()) found = table.find("*");
    return found == table.end() ? nothing : found->second;
}

Result<Granted> parse_grants(std::string_view text) {
    constexpr std::string_view kPath = "writable_path:";
    constexpr std::string_view kCalls = "extra_syscalls:";
    Granted granted;
    for (const std::string& raw : split(text, ',')) {
        const std::string_view word = trim(raw);
        Result<void> good;
        if (word == "host_network")
            granted.host_network = true;
        else if (word.starts_with(kPath))
            good = take_path(granted, word.substr(kPath.size()));
        else if (word.starts_with(kCalls))
            good = take_calls(granted, word.substr(kCalls.size()));
        else
            good = fail(FailureKind::invalid,
                        "has '{}'; a grant is host_network, writable_path:FOLDER or "
                        "extra_syscalls:NAME+NAME",
                        printable(word, 80));
        if (!good) return pass_on(good);
    }
    return granted;
}

Result<void> may_use_host_network(const Granted& granted, std::string_view integration) {
    if (granted.host_network) return {};
    return fail_at(
        FailureKind::unprocessable, "body.network",
        "network 'host' gives a script all that this host reaches, so it must be granted "
        "first: set 'grant.{} = host_network' in berthd's configuration and start it "
        "again; for single addresses 'egress_allow' is enough",
        integration);
}

std::string join_calls(const std::vector<std::string>& calls) {
    std::string text;
    for (const std::string& call : calls)
        text += (text.empty() ? "" : "+") + call;
    return text;
}

std::string folder_name(const std::filesystem::path& folder) {
    return "d" + to_hex(sha256(folder.string())).substr(0, 16);
}

std::string syscalls_name(const std::vector<std::string>& calls) {
    return "s" + to_hex(sha256(join_calls(calls))).substr(0, 16);
}

}  // namespace berth
