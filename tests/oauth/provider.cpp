#include "tests/oauth/provider.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/text.h"

namespace berth::test {
namespace {

struct Started {
    pid_t pid = -1;
    Fd in, out;
};

Started start_child(const std::vector<std::string>& words) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    Started started{-1, Fd{in[1]}, Fd{out[0]}};
    const Fd in_end{in[0]};
    const Fd out_end{out[1]};
    std::vector<char*> argv;
    for (const std::string& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    started.pid = ::fork();
    REQUIRE(started.pid >= 0);
    if (started.pid == 0) {
        ::dup2(in_end.get(), STDIN_FILENO);
        ::dup2(out_end.get(), STDOUT_FILENO);
        ::execvp(argv[0], argv.data());
        ::_exit(127);
    }
    return started;
}

std::string source(const char* file) {
    return std::string{BERTH_SOURCE_DIR} + "/tests/oauth/" + file;
}

}  // namespace

std::filesystem::path npm_modules() {
    // Beside the build tree that the test belongs to.
    const auto folder = std::filesystem::path{BERTH_BINARY_DIR}.parent_path() / "npm/node_modules";
    return std::filesystem::exists(folder / "oidc-provider") ? folder : std::filesystem::path{};
}

Provider::Provider() { start(); }

void Provider::start() {
    auto started = start_child({"node", source("provider.cjs"), npm_modules().string(),
                                (dir_.path() / "grants.json").string(), port_,
                                std::string{kPublicUrl} + "/v0/author/callback/oauth2"});
    pid_ = started.pid;
    in_ = std::move(started.in);
    out_ = std::move(started.out);
    rest_.clear();
    port_ = read_line();
    REQUIRE(to_number<int>(port_));
}

void Provider::kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

std::string Provider::read_line() {
    for (;;) {
        if (const auto end = rest_.find('\n'); end != std::string::npos) {
            const std::string line = rest_.substr(0, end);
            rest_.erase(0, end + 1);
            return line;
        }
        std::array<char, 4096> buffer{};
        const auto got = ::read(out_.get(), buffer.data(), buffer.size());
        INFO("the provider has ended");
        REQUIRE(got > 0);
        rest_.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

nlohmann::json Provider::command(const std::string& line) {
    const std::string text = line + "\n";
    REQUIRE(::write(in_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    return nlohmann::json::parse(read_line());
}

std::vector<nlohmann::json> browse(const std::filesystem::path& public_socket,
                                   const std::vector<std::string>& arguments) {
    std::vector<std::string> words{"python3", source("browser.py"), kPublicUrl,
                                   public_socket.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const auto started = start_child(words);
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t got = 0; (got = ::read(started.out.get(), buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(got));
    int status = 0;
    ::waitpid(started.pid, &status, 0);
    REQUIRE(status == 0);
    std::vector<nlohmann::json> pages;
    for (const std::string& line : split(text, '\n'))
        if (!line.empty()) pages.push_back(nlohmann::json::parse(line));
    return pages;
}

}  // namespace berth::test
