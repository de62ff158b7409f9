// `npm ci` as a build does it: in the work folder of a run, with this machine's own npm, its
// packages fetched through berth-egress from a registry that the administrator allows. The
// registry is a small real one (npm_registry.py), on a port of its own.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "base/error.h"
#include "base/pipe.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;

namespace {

class Registry {
public:
    Registry() {
        Pipe in = make_pipe();
        Pipe out = make_pipe();
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
        char env[] = "env", python[] = "python3";
        std::string script = BERTH_SOURCE_DIR "/tests/isolation/npm_registry.py";
        char* const argv[] = {env, python, script.data(), nullptr};
        REQUIRE(::posix_spawn(&pid_, "/usr/bin/env", &actions, nullptr, argv, ::environ) == 0);
        ::posix_spawn_file_actions_destroy(&actions);
        lives_by_ = std::move(in.write);
        said_ = std::move(out.read);
        port_ = next_line();
        REQUIRE_FALSE(port_.empty());
    }
    ~Registry() {
        lives_by_.reset();
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    const std::string& port() const { return port_; }
    std::string url() const { return "http://127.0.0.1:" + port_ + "/"; }
    // Ends it. The paths that it was asked for, each with a line's end.
    std::string asked() {
        ::kill(pid_, SIGTERM);
        std::string all;
        for (std::string line = next_line(); !line.empty(); line = next_line())
            all += line + "\n";
        return all;
    }

private:
    std::string next_line() {
        std::string line;
        for (char byte; ::read(said_.get(), &byte, 1) == 1 && byte != '\n';)
            line += byte;
        return line;
    }
    pid_t pid_ = -1;
    Fd lives_by_, said_;
    std::string port_;
};

constexpr const char* kPackage =
    R"({"name": "job", "version": "1.0.0", "private": true, "dependencies": {"berth-odd": "1.0.0"}})";

// A lock file first, with a checksum for each tarball, then what it says.
constexpr const char* kJob = R"(set -e
cp /app/package.json /work && cd /work
npm install --package-lock-only --no-audit --no-fund --no-update-notifier --fetch-retries 0 --registry "$1" >&2
rm -rf ~/.npm
npm ci --no-audit --no-fund --no-update-notifier --fetch-retries 0 --registry "$1" >&2
node -e 'console.error("berth-odd says", require("berth-odd")(3)); console.log("{}")'
)";

json run_job(Daemon& daemon, const Registry& registry, const char* network) {
    const Folder folder{{"PANDIUM.yaml", manifest("sh /app/job.sh " + registry.url())},
                        {"job.sh", kJob},
                        {"package.json", kPackage}};
    const json options{{"memory_mib", 1024}, {"network", network}};
    return daemon.run(daemon.install("npm", folder, options).tenant);
}

}  // namespace

TEST_CASE("npm ci fetches packages through egress, and node loads them", "[sandbox][npm]") {
    BERTH_NEEDS_SANDBOX();
    if (!std::filesystem::exists("/usr/bin/npm")) {
        WARN("skipped: this machine's runtime has no npm");
        return;
    }
    Registry registry;
    const std::string ports = fmt::format("egress_ports = 80, 443, {}\n", registry.port());

    SECTION("where the administrator allows the registry") {
        Daemon daemon{fmt::format("egress_allow = 127.0.0.1:{}\n{}", registry.port(), ports)};
        const json run = run_job(daemon, registry, "egress");
        INFO(daemon.run_log(run["id"]));
        CHECK(run["state"] == "succeeded");
        const std::string errors = daemon.run_log(run["id"], "stderr");
        CHECK(errors.find("berth-odd says true") != std::string::npos);
        CHECK(errors.find("added 2 packages") != std::string::npos);
        const std::string asked = registry.asked();
        CHECK(asked.find("/berth-odd/-/berth-odd-1.0.0.tgz\n") != std::string::npos);
        CHECK(asked.find("/berth-number/-/berth-number-1.0.0.tgz\n") != std::string::npos);
    }
    // The controls.
    SECTION("and not where nobody allows it") {
        Daemon daemon{ports};
        CHECK(run_job(daemon, registry, "egress")["state"] == "failed_integration");
        CHECK(registry.asked().empty());
    }
    SECTION("and not without network") {
        Daemon daemon;
        CHECK(run_job(daemon, registry, "none")["state"] == "failed_integration");
        CHECK(registry.asked().empty());
    }
}
