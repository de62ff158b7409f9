// A plain `run` line is executed without bash, and nobody can tell (docs/decisions/037).
#include "sandbox/launcher/plain_line.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The words, or nothing for a line that is bash's.
std::optional<std::vector<std::string>> words_of(const std::string& line) {
    char text[launcher::kPlainLineBytes];
    char* words[launcher::kPlainLineWords];
    if (!launcher::cut_plain_line(line.c_str(), text, words)) return std::nullopt;
    std::vector<std::string> all;
    for (char** word = words; *word != nullptr; ++word)
        all.emplace_back(*word);
    return all;
}

Run line(const std::string& text, std::vector<std::string> env = {}) {
    Run run;
    run.argv = {"/bin/bash", "-c", text};
    run.env = {kPath, "HOME=/work", "PAN_SEC_HUBSPOT-OAUTH_TOKEN=a b"};
    run.env.insert(run.env.end(), env.begin(), env.end());
    return run;
}

// One names its shell, one does not, one names what is not there, one is no program.
void add_scripts(const std::filesystem::path& release) {
    const auto add = [&](const char* name, const char* text, unsigned mode) {
        std::ofstream{release / name} << text;
        std::filesystem::permissions(release / name, std::filesystem::perms{mode});
    };
    add("named.sh", "#!/bin/sh\necho named \"$0\" \"$@\"; exit 3\n", 0755);
    add("bare", "echo bare \"$@\"; kill -USR1 $$\n", 0755);
    add("broken", "#!/not/there\n", 0755);
    add("closed", "#!/bin/sh\n", 0644);
}

std::vector<std::string> sorted_lines(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream lines{text};
    for (std::string one; std::getline(lines, one);)
        all.push_back(one);
    std::ranges::sort(all);
    return all;
}

}  // namespace

TEST_CASE("a line of plain words is cut at its blanks", "[sandbox]") {
    using Words = std::vector<std::string>;
    CHECK(words_of("node index.js") == Words{"node", "index.js"});
    CHECK(words_of(" ./sync  --full\t--since=2026-01-01 ") ==
          Words{"./sync", "--full", "--since=2026-01-01"});
    CHECK(words_of("python3 -m sync.main a@b.c 50% +x") ==
          Words{"python3", "-m", "sync.main", "a@b.c", "50%", "+x"});
    CHECK(words_of("./echo") == Words{"./echo"});
    CHECK(words_of("/usr/bin/test -f x") == Words{"/usr/bin/test", "-f", "x"});
}

TEST_CASE("what bash would do more with than cut it is left to bash", "[sandbox]") {
    const char* text = GENERATE(
        "", "  ", "npm ci && node .", "node a.js; node b.js", "node a.js | cat", "node a.js &",
        "node 'a b.js'", "node \"a.js\"", "node a\\ b.js", "node $MAIN", "node `pwd`", "node *.js",
        "node a?.js", "node [ab].js", "node {a,b}.js", "node ~/a.js", "node a.js > out",
        "node < in", "(node a.js)", "! node a.js", "node a.js # comment", "A=1 node a.js", "A=1",
        "%1", "cd /app", "exec node a.js", "echo hello", "time node a.js", "if", ". ./a.sh", "true",
        "node a.js\nnode b.js", "node a.js\r",
        "n\xc3\xb6"
        "de a.js",
        "[ -f a ]");
    INFO(text);
    CHECK_FALSE(words_of(text));
}

TEST_CASE("a line or a command that is too long for the stack is left to bash", "[sandbox]") {
    const auto words = [](std::size_t count) {
        std::string text = "node";
        for (std::size_t i = 1; i < count; ++i)
            text += " a";
        return text;
    };
    CHECK(words_of(words(launcher::kPlainLineWords - 1)));
    CHECK_FALSE(words_of(words(launcher::kPlainLineWords)));
    const std::string longest = "node " + std::string(launcher::kPlainLineBytes - 6, 'a');
    CHECK(words_of(longest));
    CHECK_FALSE(words_of(longest + "a"));
}

TEST_CASE("a plain line is executed without bash", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    // Of two entries of one name bash keeps the last.
    const std::vector<std::string> twice = {"TWICE=1", "TWICE=2"};
    CHECK_THAT(launcher.run(line("env", twice)).out, Contains("TWICE=1"));
    CHECK_THAT(launcher.run(line("env #", twice)).out, !Contains("TWICE=1"));
    // What bash obeys reaches bash.
    CHECK_THAT(launcher.run(line("env", {"TWICE=1", "TWICE=2", "BASH_COMPAT=5.0"})).out,
               !Contains("TWICE=1"));
}

TEST_CASE("a plain line gives what bash gives: environment, output, end", "[sandbox]") {
    BERTH_NEEDS_SANDBOX();
    Launcher launcher;
    add_scripts(launcher.release_path("probe"));
    const std::string text =
        GENERATE("env", "/usr/bin/env", "/app/probe env", "./probe env", "cat /proc/self/comm",
                 "ls -d .", "python3 -c 1", "sleep", "ls /not/there", "not-a-program",
                 "./not-there", "./", "/app", "/etc/passwd", "./named.sh 1 2", "../app/named.sh",
                 "named.sh", "./bare 1 2", "./broken", "./closed", "nice nice env");
    INFO(text);
    const auto outcome = [&](const std::string& command) {
        Run run = line(command);
        run.folder = text.starts_with("../") ? "/work" : "/app";
        return launcher.run(run);
    };
    const Ended without = outcome(text);
    const Ended with = outcome(text + " #");
    REQUIRE(without.report);
    REQUIRE(with.report);
    CHECK(without.report->wait_status == with.report->wait_status);
    CHECK(sorted_lines(without.out) == sorted_lines(with.out));
    CHECK(without.err == with.err);
}
