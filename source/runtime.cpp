#include "source/runtime.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "base/fd.h"
#include "base/text.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kProbeTime{5};
constexpr std::size_t kProbeBytes = 4096;

struct Language {
    const char* name;      // as BaseName::name
    const char* program;   // whose presence means that the host has it
    const char* question;  // empty: it has no version worth asking for
    const char* package;   // Debian's, for the cure
};
constexpr std::array kLanguages{
    Language{"node", "node", "--version", "nodejs"},
    Language{"python", "python3", "--version", "python3"},
    Language{"ruby", "ruby", "--version", "ruby"},
    Language{"php", "php", "--version", "php-cli"},
    Language{"java", "java", "-version", "default-jre-headless"},
    Language{"go", "go", "version", "golang-go"},
    Language{"rust", "rustc", "--version", "rustc"},
    Language{"kotlin", "kotlin", "-version", "kotlin"},
    Language{"clojure", "clojure", "--version", "clojure"},
    Language{".net", "dotnet", "--version", ""},
    // Berth's own: shell scripts need no more than what every host has.
    Language{"sh", "sh", "", "dash"},
    Language{"bash", "bash", "--version", "bash"},
};

const Language* find_language(std::string_view name) {
    const auto found = std::ranges::find_if(
        kLanguages, [&](const Language& language) { return name == language.name; });
    return found == kLanguages.end() ? nullptr : &*found;
}

// The first `1.2.3` in what the program printed; at most three parts.
std::string first_version(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789";
    const std::size_t begin = std::min(text.find_first_of(kDigits), text.size());
    std::string version;
    int dots = 0;
    for (const char c : text.substr(begin)) {
        if (c == '.' && (++dots > 2 || version.ends_with('.'))) break;
        if (c != '.' && kDigits.find(c) == std::string_view::npos) break;
        version += c;
    }
    while (version.ends_with('.'))
        version.pop_back();
    return version;
}

// Reads until the end of the output or the deadline.
std::string read_until(int fd, steady_clock::time_point deadline) {
    std::string text;
    while (text.size() < kProbeBytes) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
        pollfd wait{fd, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) break;
        char chunk[512];
        const ssize_t n = ::read(fd, chunk, sizeof chunk);
        if (n <= 0) break;
        text.append(chunk, static_cast<std::size_t>(n));
    }
    return text;
}

// What `program question` prints on stdout and stderr; empty when it cannot run.
std::string ask(const std::string& program, const char* question) {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC), "making a pipe");
    const Fd ours{ends[0]};
    Fd theirs{ends[1]};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDERR_FILENO);
    std::string path = "PATH=/usr/local/bin:/usr/bin:/bin", home = "HOME=/nonexistent";
    std::string name = program, argument = question;
    char* const argv[] = {name.data(), argument.data(), nullptr};
    char* const env[] = {path.data(), home.data(), nullptr};
    pid_t pid = 0;
    const int err = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv, env);
    ::posix_spawn_file_actions_destroy(&actions);
    if (err != 0) return "";
    theirs.reset();
    std::string text = read_until(ours.get(), steady_clock::now() + kProbeTime);
    // It has closed its output or used up its time; either way nothing more counts.
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return text;
}

std::vector<unsigned> version_parts(std::string_view version) {
    std::vector<unsigned> parts;
    for (const std::string& part : split(version, '.'))
        parts.push_back(to_number<unsigned>(part).value_or(0));
    return parts;
}

// 3.11 fits 3.11.2 and 3.11.4, not 3.1 or 3.12.
bool fits(std::string_view version, std::string_view asked) {
    if (asked.empty()) return true;
    const auto have = version_parts(version);
    const auto want = version_parts(asked);
    return have.size() >= want.size() && std::equal(want.begin(), want.end(), have.begin());
}

std::string listed(const std::vector<Runtime>& available) {
    std::string text;
    for (const Runtime& one : available) {
        if (!text.empty()) text += ", ";
        text += one.version.empty() ? one.language : one.language + ":" + one.version;
    }
    return text.empty() ? "none" : text;
}

std::string cure(const std::string& language, const std::string& version) {
    if (const Language* known = find_language(language);
        known != nullptr && *known->package != '\0')
        return fmt::format("install it with 'apt-get install {}' and restart berthd",
                           known->package);
    return fmt::format("install {} {} below /usr and restart berthd", language, version);
}

}  // namespace

std::vector<Runtime> host_runtimes(const fs::path& root) {
    std::vector<Runtime> found;
    for (const Language& language : kLanguages)
        for (const char* dir : {"usr/local/bin", "usr/bin"}) {
            const fs::path program = root / dir / language.program;
            if (::access(program.c_str(), X_OK) != 0) continue;
            const bool versioned = *language.question != '\0';
            std::string version =
                versioned ? first_version(ask(program.string(), language.question)) : "";
            if (versioned && version.empty()) continue;  // there, but it does not run
            found.push_back({"host", language.name, std::move(version)});
            break;  // usr/local/bin comes first in a run's PATH as well
        }
    return found;
}

Result<RuntimeChoice> resolve_runtime(const std::vector<Runtime>& available, const BaseName& base,
                                      NearMatch near) {
    const std::string language = base.name == "shell" ? "sh" : base.name;
    const auto newer = [](const Runtime* a, const Runtime* b) {
        return version_parts(a->version) < version_parts(b->version);
    };
    std::vector<const Runtime*> same, fitting, same_major;
    for (const Runtime& one : available) {
        if (one.language != language) continue;
        same.push_back(&one);
        // A shell without a version of its own stands for any.
        if (one.version.empty() || fits(one.version, base.version)) fitting.push_back(&one);
        if (fits(one.version, base.version.substr(0, base.version.find('.'))))
            same_major.push_back(&one);
    }
    if (!fitting.empty()) return RuntimeChoice{**std::ranges::max_element(fitting, newer), ""};
    if (same.empty())
        return fail(FailureKind::unprocessable, "no runtime for 'base: {}' (there is: {}); {}",
                    printable(base.written, 80), listed(available), cure(language, base.version));

    const Runtime& nearest =
        **std::ranges::max_element(same_major.empty() ? same : same_major, newer);
    if (near == NearMatch::refuse)
        return fail(
            FailureKind::unprocessable,
            "no runtime for 'base: {}': there is {} {}; write 'base: {}:{}' in the manifest, "
            "or set 'allow_near_runtime' in berthd's configuration to run it on that",
            printable(base.written, 80), language, nearest.version, language,
            nearest.version.substr(0, nearest.version.rfind('.')));
    return RuntimeChoice{
        nearest, fmt::format("near match: 'base: {}' runs on {} {}", printable(base.written, 80),
                             language, nearest.version)};
}

}  // namespace berth
