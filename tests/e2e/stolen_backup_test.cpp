// S8: whoever has a backup and no root key has names and counts; with the root key another host
// has every secret again.
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/e2e/finder.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTenants = 20;
constexpr std::size_t kFields = 50;

// Only a sum of the secrets leaves the script.
const std::string kSum = fmt::format(
    "i=0; while [ $i -lt {} ]; do printenv PAN_SEC_CRM_F$i; i=$((i + 1)); done | sha256sum |"
    " cut -c1-64",
    kFields);

struct Holder {
    std::int64_t tenant = 0;
    std::string sum;
};

std::vector<Holder> fill(Daemon& daemon, const std::vector<std::string>& canaries) {
    daemon.must("POST", "/v2/connectors", {{"name", "crm"}});
    const auto made = daemon.install("shop", {{"PANDIUM.yaml", manifest(kSum)}},
                                     {{"connectors", {{{"name", "crm"}, {"isGlobal", false}}}}});
    std::vector<Holder> holders;
    for (std::size_t i = 0; i < kTenants; ++i) {
        Holder holder{daemon.must("POST", "/v2/tenants",
                                  {{"name", fmt::format("tenant-{}", i)},
                                   {"integration_id", made.integration}})["id"],
                      {}};
        json fields = json::object();
        std::string all;
        for (std::size_t f = 0; f < kFields; ++f) {
            const std::string& value = canaries.at(i * kFields + f);
            fields[fmt::format("f{}", f)] = value;
            all += value + "\n";
        }
        daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/crm/connection", holder.tenant),
                    {{"secrets", fields}});
        holder.sum = to_hex(sha256(all));
        holders.push_back(holder);
    }
    return holders;
}

void put_root_key(const Daemon& daemon, const std::string& bytes) {
    const auto key = daemon.state_dir() / "keys" / "root.key";
    fs::remove(key);
    std::ofstream{key, std::ios::binary} << bytes;
    fs::permissions(key, fs::perms::owner_read);
}

// As a host is after the package was installed: its folders, and nothing in them.
void make_fresh(Daemon& daemon) {
    daemon.start();
    daemon.stop(SIGTERM);
    for (const char* folder : {"store", "anchors", "releases"})
        for (const auto& entry : fs::directory_iterator{daemon.state_dir() / folder})
            fs::remove_all(entry.path());
}

}  // namespace

TEST_CASE("a stolen backup has no secret, and opens with its own root key only", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const auto canaries = make_canaries(kTenants * kFields);
    Finder finder{canaries};
    Daemon daemon;
    const auto holders = fill(daemon, canaries);
    const std::string root_key_id = daemon.must("GET", "/v2/vault")["root_key"];
    const auto root_key = read_file(daemon.state_dir() / "keys" / "root.key", 64).value();

    const auto backup = daemon.request("POST", "/v2/backup", nullptr);
    REQUIRE(backup.status == 200);
    const auto hits = finder.in(backup.body);
    CHECK(hits == 0);
    CHECK(backup.body.find(root_key) == std::string::npos);
    CHECK(backup.body.find("tenant-7") != std::string::npos);  // the control: names are in it
    CHECK(finder.in(backup.body + to_base64("x" + canaries[17])) > 0);

    const TempDir carried{"berth-backup"};
    const auto file = carried.path() / "today.tar";
    write_file_atomically(file, backup.body, 0600);
    const TempDir other_root{"berth-e2e"};
    Daemon other{other_root.path(), ""};
    make_fresh(other);
    const auto restored =
        std::system(fmt::format("{}/bin/berthd --restore {} --config {} >&2", BERTH_BINARY_DIR,
                                file.string(), (other_root.path() / "berth.conf").string())
                        .c_str());
    REQUIRE(WIFEXITED(restored));
    REQUIRE(WEXITSTATUS(restored) == 0);

    // With the root key of its own: refused, and the missing one is named.
    const auto began = std::chrono::steady_clock::now();
    other.launch();
    REQUIRE(eventually([&] {
        return other.log().find("it was wrapped by the root key whose id begins with " +
                                root_key_id.substr(0, 8)) != std::string::npos;
    }));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    Client client{other.socket()};
    REQUIRE(eventually([&] { return client.request("GET", "/v2/ready").has_value(); }));
    CHECK(other.request("GET", "/v2/ready").status == 503);
    other.stop(SIGTERM);

    // With the one it was made under: all secrets work.
    put_root_key(other, root_key);
    other.start();
    std::size_t right = 0;
    for (const Holder& holder : holders) {
        const json run = other.run(holder.tenant);
        INFO(run.dump());
        CHECK(run["std_out"] == holder.sum);
        right += run["std_out"] == holder.sum ? kFields : 0;
    }
    std::cout << fmt::format(
        "{} secrets in {} forms: {} found in a backup of {} KiB; another root key is refused "
        "{:.2f} "
        "s after the start; {} of them work on another host\n",
        canaries.size(), finder.forms(), hits, backup.body.size() >> 10, took.count(), right);
    CHECK(right == canaries.size());
}
