#include "daemon/start.h"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/activation.h"
#include "daemon/command_lines.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

// With this name the root key is a credential: LoadCredentialEncrypted= of the unit.
constexpr const char* kKeyCredential = "berth.root-key";

// What passes on to the program: systemd's own protocols, nothing of a drop-in's Environment=.
constexpr const char* kPassedOn[] = {
    "LISTEN_FDS",   "LISTEN_FDNAMES", "LISTEN_PID",    "NOTIFY_SOCKET",         "WATCHDOG_USEC",
    "WATCHDOG_PID", "JOURNAL_STREAM", "INVOCATION_ID", "CREDENTIALS_DIRECTORY", "FDSTORE",
};

Result<uid_t> user_or_number(const UnitFacts& facts, const char* name,
                             std::optional<std::uint32_t> configured) {
    if (configured) return *configured;
    if (const auto uid = facts.user(name)) return *uid;
    return fail(FailureKind::not_found,
                "there is no user '{}'; the package makes it, and so does "
                "'systemd-sysusers berth.conf'",
                name);
}

Result<int> socket_named(const UnitFacts& facts, const char* name, std::string_view program) {
    if (const auto fd = facts.socket(name)) return *fd;
    return fail(FailureKind::not_found,
                "no socket '{}' was handed over; start '{}.socket', which listens for it", name,
                program);
}

fs::path key_credential(const UnitFacts& facts) {
    const auto folder = facts.variable("CREDENTIALS_DIRECTORY");
    if (!folder || folder->empty()) return {};
    const fs::path path = fs::path{*folder} / kKeyCredential;
    return facts.exists(path) ? path : fs::path{};
}

}  // namespace

UnitFacts facts_of_host() {
    return {[](const char* name) -> std::optional<std::string> {
                const char* value = std::getenv(name);
                if (value == nullptr) return {};
                return value;
            },
            [](const char* user) -> std::optional<uid_t> {
                const passwd* entry = ::getpwnam(user);
                if (entry == nullptr) return {};
                return entry->pw_uid;
            },
            [](std::string_view name) { return inherited_socket(name); },
            [](const fs::path& path) { return ::access(path.c_str(), F_OK) == 0; }};
}

Result<Command> unit_command(const Config& config, std::string_view program,
                             const UnitFacts& facts) {
    Command command;
    if (program == "berth-runner") {
        const auto fd = socket_named(facts, "runner", program);
        if (!fd) return tl::unexpected{fd.error()};
        const auto uid = user_or_number(facts, "berth", config.daemon_uid);
        if (!uid) return tl::unexpected{uid.error()};
        command.argv = runner_arguments(config, *fd, *uid, key_credential(facts));
    } else if (program == "berth-launcher" || program == "berth-egress") {
        const bool launcher = program == "berth-launcher";
        const auto fd = socket_named(facts, launcher ? "launcher" : "egress", program);
        if (!fd) return tl::unexpected{fd.error()};
        const auto uid = user_or_number(facts, "berth-runner", config.runner_uid);
        if (!uid) return tl::unexpected{uid.error()};
        command.argv =
            launcher ? launcher_arguments(config, *fd, *uid) : egress_arguments(config, *fd, *uid);
    } else {
        return fail(FailureKind::invalid,
                    "no unit starts '{}'; there are berth-runner, berth-launcher and berth-egress",
                    program);
    }
    command.argv.insert(command.argv.begin(), std::string{program});
    command.env = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
    for (const char* name : kPassedOn)
        if (const auto value = facts.variable(name))
            command.env.push_back(fmt::format("{}={}", name, *value));
    return command;
}

Failure start_unit(const Config& config, std::string_view program) {
    auto command = unit_command(config, program, facts_of_host());
    if (!command) return command.error();
    const auto pointers = [](std::vector<std::string>& texts) {
        std::vector<char*> out;
        for (std::string& text : texts)
            out.push_back(text.data());
        out.push_back(nullptr);
        return out;
    };
    const fs::path path = fs::read_symlink("/proc/self/exe").parent_path() / program;
    ::execve(path.c_str(), pointers(command->argv).data(), pointers(command->env).data());
    return {FailureKind::not_found,
            fmt::format("cannot become '{}': {}", path.string(),
                        std::generic_category().message(errno)),
            {}};
}

}  // namespace berth
