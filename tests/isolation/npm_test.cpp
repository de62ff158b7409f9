// `npm ci` of a real package, as a build does it: in the work folder of a run, its
// packages fetched through berth-egress from the registry that this machine's npm uses.
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

std::string output_of(const std::string& command) {
    std::string text;
    FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 512> part;
    while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe) != nullptr)
        text += part.data();
    if (pipe != nullptr) ::pclose(pipe);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

// `https://host[:port]/path/` → `host`; empty when it is something else.
std::string host_of(const std::string& url) {
    const auto begin = url.find("://");
    if (begin == std::string::npos) return {};
    const std::string rest = url.substr(begin + 3, url.find('/', begin + 3) - begin - 3);
    if (rest.find('@') != std::string::npos) return {};  // a registry with a password
    return rest.substr(0, rest.find(':'));
}

// is-odd needs is-number: two packages and their lock.
constexpr const char* kPackage =
    R"({"name": "job", "version": "1.0.0", "private": true, "dependencies": {"is-odd": "3.0.1"}})";

constexpr const char* kJob = R"(set -e
cp /app/package.json /work && cd /work
npm install --package-lock-only --registry "$1" >/dev/null
npm ci --registry "$1" >/dev/null
node -e 'console.error("is-odd says", require("is-odd")(3)); console.log("{}")'
)";

}  // namespace

TEST_CASE("npm ci fetches a package through egress and node loads it", "[sandbox][npm]") {
    BERTH_NEEDS_SANDBOX();
    const std::string registry = output_of("npm config get registry 2>/dev/null");
    const std::string host = host_of(registry);
    if (host.empty() || output_of("curl -sS -m 20 -o /dev/null -w '%{http_code}' '" + registry +
                                  "is-odd' 2>/dev/null") != "200") {
        std::cout << "skipped: npm has no registry that answers from here\n";
        return;
    }
    const std::string command = manifest("sh /app/job.sh " + registry);
    const Folder folder{{"PANDIUM.yaml", command}, {"job.sh", kJob}, {"package.json", kPackage}};
    const json options{{"memory_mib", 1024}, {"network", "egress"}};

    SECTION("where the administrator allows the registry") {
        Daemon daemon{"egress_allow = " + host + "\n"};
        const json run = daemon.run(daemon.install("npm", folder, options).tenant);
        INFO(daemon.run_log(run["id"]));
        CHECK(run["state"] == "succeeded");
        CHECK(daemon.run_log(run["id"], "stderr").find("is-odd says true") != std::string::npos);
    }
    SECTION("and not without network") {  // the control
        Daemon daemon;
        const json run = daemon.run(
            daemon.install("npm", folder, {{"memory_mib", 1024}, {"network", "none"}}).tenant);
        CHECK(run["state"] == "failed_integration");
    }
}
