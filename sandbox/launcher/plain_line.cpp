#include "sandbox/launcher/plain_line.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace berth::launcher {
namespace {

constexpr std::string_view kPlain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

// Reserved words and builtins of bash 5.2 (bash(1)): a program of the same name is another one.
constexpr std::string_view kOfBash[] = {
    ".",       ":",      "alias",   "bg",       "bind",     "break",     "builtin",  "caller",
    "case",    "cd",     "command", "compgen",  "complete", "compopt",   "continue", "coproc",
    "declare", "dirs",   "disown",  "do",       "done",     "echo",      "elif",     "else",
    "enable",  "esac",   "eval",    "exec",     "exit",     "export",    "false",    "fc",
    "fg",      "fi",     "for",     "function", "getopts",  "hash",      "help",     "history",
    "if",      "in",     "jobs",    "kill",     "let",      "local",     "logout",   "mapfile",
    "popd",    "printf", "pushd",   "pwd",      "read",     "readarray", "readonly", "return",
    "select",  "set",    "shift",   "shopt",    "source",   "suspend",   "test",     "then",
    "time",    "times",  "trap",    "true",     "type",     "typeset",   "ulimit",   "umask",
    "unalias", "unset",  "until",   "wait",     "while",
};

bool is_program(std::string_view word) {
    if (word.find('=') != word.npos || word[0] == '%') return false;  // assignment, job
    return word.find('/') != word.npos ||
           std::find(std::begin(kOfBash), std::end(kOfBash), word) == std::end(kOfBash);
}

// Variables that bash obeys, or that it would change rather than add.
bool is_for_bash(std::string_view entry) {
    constexpr std::string_view kNames[] = {
        "SHELLOPTS=", "POSIXLY_CORRECT=", "PWD=", "OLDPWD=", "SHLVL=", "_=", "EXECIGNORE="};
    return entry.starts_with("BASH") ||
           std::any_of(std::begin(kNames), std::end(kNames),
                       [&](std::string_view name) { return entry.starts_with(name); });
}

// `text` holds NAME= and is followed by the value; false when there is no room.
bool append(std::span<char> text, std::string_view value) {
    const std::size_t used = std::strlen(text.data());
    if (value.size() >= text.size() - used) return false;
    std::memcpy(text.data() + used, value.data(), value.size());
    text[used + value.size()] = '\0';
    return true;
}

bool can_execute(const char* path) {
    struct stat status {};
    return ::stat(path, &status) == 0 && S_ISREG(status.st_mode) && ::access(path, X_OK) == 0;
}

// Into `path`: the word itself where it has a slash, else the first program in PATH that can
// be executed. An element of PATH that depends on the folder is bash's business.
bool find_program(std::string_view word, const Plan& plan, std::span<char> path) {
    path[0] = '\0';
    if (word.find('/') != word.npos) return append(path, word) && can_execute(path.data());
    std::string_view folders;
    for (char** entry = plan.envp; *entry != nullptr; ++entry)
        if (std::string_view(*entry).starts_with("PATH=")) folders = *entry + 5;
    while (!folders.empty()) {
        const std::string_view folder = folders.substr(0, folders.find(':'));
        folders.remove_prefix(std::min(folder.size() + 1, folders.size()));
        path[0] = '\0';
        if (!folder.starts_with('/') || !append(path, folder)) return false;
        if (!append(path, "/") || !append(path, word)) return false;
        if (can_execute(path.data())) return true;
    }
    return false;
}

}  // namespace

bool cut_plain_line(const char* line, std::span<char> text, std::span<char*> words) {
    const std::size_t size = std::strlen(line);
    if (size >= text.size()) return false;
    std::memcpy(text.data(), line, size + 1);
    std::size_t count = 0;
    bool within = false;
    for (char& c : text.first(size)) {
        const bool blank = c == ' ' || c == '\t';
        if (!blank && kPlain.find(c) == kPlain.npos) return false;
        if (!blank && !within) {
            if (count + 1 == words.size()) return false;
            words[count++] = &c;
        }
        if (blank) c = '\0';
        within = !blank;
    }
    words[count] = nullptr;
    return count > 0 && is_program(words[0]);
}

void execute_plain_line(const Plan& plan) {
    char** argv = plan.argv;
    if (std::strcmp(argv[0], "/bin/bash") != 0 || argv[1] == nullptr || argv[2] == nullptr ||
        std::strcmp(argv[1], "-c") != 0 || argv[3] != nullptr)
        return;
    char text[kPlainLineBytes];
    char* words[kPlainLineWords];
    if (!cut_plain_line(argv[2], text, words)) return;

    char** end = plan.envp;
    for (; *end != nullptr; ++end)
        if (is_for_bash(*end)) return;
    char path[kPlainLineBytes];
    char folder[kPlainLineBytes];
    char told_folder[kPlainLineBytes + 4] = "PWD=";
    char told_path[kPlainLineBytes + 2] = "_=";
    char told_level[] = "SHLVL=0";  // bash counts itself, and not when it is replaced
    if (!find_program(words[0], plan, path) || ::getcwd(folder, sizeof folder) == nullptr) return;
    if (!append(told_folder, folder) || !append(told_path, path)) return;

    char* const told[kSpareEnvironment] = {told_folder, told_level, told_path};
    std::copy(std::begin(told), std::end(told), end);
    end[kSpareEnvironment] = nullptr;
    ::execve(path, words, plan.envp);
    *end = nullptr;
}

}  // namespace berth::launcher
