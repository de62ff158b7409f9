// What is kept for later: a backup by the control socket and its way back, and an audit trail
// that tells when somebody has changed it.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>

#include "base/crypto.h"
#include "base/file.h"
#include "store/db_sqlite.h"
#include "tests/e2e/counting.h"
#include "tests/support/needs_sandbox.h"
#include "vault/mask_forms.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

struct Said {
    int code = -1;
    std::string out;  // stdout and stderr, as a person sees them
};

Said cli(const Daemon& daemon, const std::string& arguments) {
    const auto command = fmt::format("NO_COLOR=1 BERTH_SOCKET='{}' {}/bin/berth {} 2>&1",
                                     daemon.socket().string(), BERTH_BINARY_DIR, arguments);
    FILE* pipe = ::popen(command.c_str(), "re");
    REQUIRE(pipe != nullptr);
    Said said;
    std::array<char, 4096> buffer{};
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        said.out.append(buffer.data(), n);
    said.code = WEXITSTATUS(::pclose(pipe));
    INFO("berth " << arguments << "\n" << said.out);
    REQUIRE(said.code != -1);
    return said;
}

std::string whole_file(const fs::path& path) { return read_file(path, 1 << 30).value(); }

std::string config_of(const fs::path& root) { return (root / "berth.conf").string(); }

// A Berth that has its folders and nothing in its store: what a fresh host is after a package.
void make_empty(Daemon& daemon) {
    daemon.start();
    daemon.stop(SIGTERM);
    for (const auto& entry : fs::directory_iterator{daemon.state_dir() / "store"})
        fs::remove_all(entry.path());
}

bool leaves_nothing(const Daemon& daemon) {
    return eventually([&] {
        for (const auto& entry : fs::directory_iterator{daemon.state_dir() / "store"}) {
            const auto name = entry.path().filename().string();
            if (name.starts_with(".backup-") || name.starts_with(".restore-")) return false;
        }
        return true;
    });
}

}  // namespace

TEST_CASE("a backup by the socket, while a run prints, is the caller's and can be put back",
          "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const std::string secret = "cañary/" + to_hex(random_bytes(12)) + " +&\"";
    const TempDir other_root{"berth-e2e"};
    const TempDir folder{"berth-backups"};
    const auto file = folder.path() / "today.tar";
    std::string key;
    std::int64_t tenant = 0, ended = 0;
    {
        Daemon daemon;
        daemon.must("POST", "/v2/connectors", {{"name", "shop"}});
        const auto holder = daemon.install(
            "holder",
            {{"PANDIUM.yaml",
              manifest("echo \"$PAN_SEC_SHOP_TOKEN\" >&2; test ${#PAN_SEC_SHOP_TOKEN}"
                       " -gt 9 && echo had-it")}},
            {{"connectors", {{{"name", "shop"}}}}});
        tenant = holder.tenant;
        daemon.must("PUT", fmt::format("/v2/tenants/{}/connectors/shop/connection", tenant),
                    {{"secrets", {{"token", secret}}}});
        const json first = daemon.run(tenant);
        REQUIRE(first["std_out"] == "had-it");
        ended = first["id"];
        const auto counting =
            daemon.install("counting", {{"PANDIUM.yaml", manifest(counting_script())}});
        const Script live = start_script(daemon, counting.tenant);
        wait_for_more(daemon, live.run);

        const Said made = cli(daemon, "backup " + file.string());
        INFO(made.out);
        REQUIRE(made.code == 0);
        CHECK_THAT(made.out, Contains(file.string()) && Contains("the root key is not in it"));
        struct stat info {};
        REQUIRE(::stat(file.c_str(), &info) == 0);
        CHECK((info.st_mode & 07777) == 0600);
        CHECK(info.st_uid == ::geteuid());
        CHECK(leaves_nothing(daemon));
        // One more, by the time; and none over another.
        CHECK(cli(daemon, "backup " + folder.path().string()).code == 0);
        CHECK(std::distance(fs::directory_iterator{folder.path()}, {}) == 2);
        const Said again = cli(daemon, "backup " + file.string());
        CHECK(again.code == 1);
        CHECK_THAT(again.out, Contains("is there already"));
        const Said refused =
            cli(daemon, "restore " + file.string() + " --config " + config_of(daemon.root()));
        CHECK(refused.code == 1);
        CHECK_THAT(refused.out, Contains("berthd is running at"));
        wait_for_more(daemon, live.run);  // it did not notice
        let_go(daemon);
        check_whole(daemon, live);
        key = whole_file(daemon.state_dir() / "keys" / "root.key");
    }

    // Without the root key: names and counts, whatever form one looks for.
    const std::string bytes = whole_file(file);
    const std::string_view secrets[] = {secret};
    std::size_t looked_for = 0;
    for (const std::string& form : vault::mask_forms(secrets).forms) {
        if (form.size() < 8) continue;
        ++looked_for;
        INFO(form);
        CHECK(bytes.find(form) == std::string::npos);
    }
    CHECK(looked_for >= 16);
    CHECK(bytes.find(key) == std::string::npos);
    CHECK(bytes.find("holder-tenant") != std::string::npos);  // the control

    Daemon other{other_root.path(), ""};
    make_empty(other);
    const auto restore = "restore " + file.string() + " --config " + config_of(other_root.path());
    const Said put_back = cli(other, restore);
    INFO(put_back.out);
    REQUIRE(put_back.code == 0);
    CHECK(leaves_nothing(other));
    CHECK_THAT(cli(other, restore).out, Contains("nothing was put back"));
    other.launch();  // with a key of its own, which opens nothing
    REQUIRE(eventually([&] {
        Client client{other.socket()};
        const auto answer = client.get("/v2/health");
        return answer && answer->status == 200;
    }));
    CHECK(other.must("GET", fmt::format("/v2/tenants/{}", tenant))["name"] == "holder-tenant");
    CHECK(other.run_log(ended, "stderr") == "***\n");
    CHECK(other.request("GET", "/v2/ready").status == 503);
    other.stop(SIGTERM);
    // With its own it goes on where it was.
    fs::remove(other.state_dir() / "keys" / "root.key");
    write_file_atomically(other.state_dir() / "keys" / "root.key", key, 0400);
    other.start();
    CHECK(other.run(tenant)["std_out"] == "had-it");
}

TEST_CASE("a backup that was cut off or changed is not put back", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const TempDir other_root{"berth-e2e"};
    const TempDir folder{"berth-backups"};
    const auto file = folder.path() / "whole.tar";
    std::string key;
    {
        Daemon daemon;
        daemon.install("kept", {{"PANDIUM.yaml", manifest("echo a-word-of-the-script")}});
        REQUIRE(cli(daemon, "backup " + file.string()).code == 0);
        key = whole_file(daemon.state_dir() / "keys" / "root.key");
    }
    const std::string whole = whole_file(file);
    Daemon other{other_root.path(), ""};
    make_empty(other);
    const auto restore = [&](const std::string& bytes) {
        const auto damaged = folder.path() / "damaged.tar";
        write_file_atomically(damaged, bytes, 0600);
        const Said said =
            cli(other, "restore " + damaged.string() + " --config " + config_of(other_root.path()));
        INFO(said.out);
        CHECK(said.code == 1);
        CHECK_FALSE(fs::exists(other.state_dir() / "store" / "berth.db"));
        return said.out;
    };
    // Where a release lies, and where the store's pages are.
    std::string of_release = whole;
    of_release.replace(of_release.find("a-word-of-the-script"), 6, "a-lie-");
    CHECK_THAT(restore(of_release), Contains("is damaged"));
    std::string of_store = whole;
    const auto page = of_store.find("SQLite format 3", of_store.find("store/berth.db"));
    REQUIRE(page != std::string::npos);
    of_store[page + 4096 + 17] = static_cast<char>(of_store[page + 4096 + 17] ^ 0x40);
    CHECK_THAT(restore(of_store), Contains("damaged"));
    CHECK_THAT(restore(whole.substr(0, whole.size() / 2)), Contains("backup"));
    CHECK_THAT(restore("no tar at all"), Contains("no whole backup"));
    // The control.
    CHECK(
        cli(other, "restore " + file.string() + " --config " + config_of(other_root.path())).code ==
        0);
    fs::remove(other.state_dir() / "keys" / "root.key");
    write_file_atomically(other.state_dir() / "keys" / "root.key", key, 0400);
    other.start();
    CHECK(other.must("GET", "/v2/integrations")[0]["name"] == "kept");
}

TEST_CASE("the audit trail is shown, is found whole, and tells when it was changed", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    daemon.install("watched", {{"PANDIUM.yaml", manifest("true")}});
    const Said list = cli(daemon, "audit list");
    CHECK(list.code == 0);
    for (const char* part : {"integration.create", "release.create", "tenant.create", "uid 0"})
        CHECK_THAT(list.out, Contains(part));
    const json page = daemon.must("GET", "/v2/audit?limit=1");
    REQUIRE(page.size() == 1);
    const std::int64_t newest = page[0]["seq"];
    const json below = daemon.must("GET", fmt::format("/v2/audit?limit=1&before={}", newest));
    CHECK(below[0]["seq"] == newest - 1);
    for (const char* wrong : {"before=0", "before=x", "limit=501"})
        CHECK(daemon.request("GET", std::string{"/v2/audit?"} + wrong).status == 422);

    const json verdict = daemon.must("POST", "/v2/audit/verify");
    CHECK(verdict["ok"] == true);
    CHECK(verdict["rows"] == newest);
    CHECK(verdict["problem"].is_null());
    const std::string head = verdict["head"];
    daemon.must("PATCH", "/v2/integrations/1", {{"long_name", "changed since"}});
    const Said since = cli(daemon, "audit verify --head " + head);
    INFO(since.out);
    CHECK(since.code == 0);
    CHECK_THAT(since.out, Contains("whole"));
    std::string other = head;
    other.back() = other.back() == '0' ? '1' : '0';
    const Said anew = cli(daemon, "audit verify --head " + other);
    CHECK(anew.code == 1);
    CHECK_THAT(anew.out, Contains("written anew"));
    CHECK(daemon.request("POST", "/v2/audit/verify", {{"head", "12"}}).status == 422);

    // The journal has its head at the start and, moved, at the end.
    const std::string last = daemon.must("POST", "/v2/audit/verify")["head"];
    CHECK(last != head);
    CHECK_THAT(daemon.log(), !Contains("audit_head=" + last));
    daemon.stop(SIGTERM);
    CHECK_THAT(daemon.log(), Contains("audit_head=" + last));

    const auto change = [&](const std::string& sql) {
        auto db =
            SqliteDb::open(daemon.state_dir() / "store" / "berth.db", SqliteDb::Access::read_write);
        REQUIRE(db);
        (*db)->exec_script(sql);
    };
    change("update audit set actor = 'x' || actor where seq = 2");
    daemon.start();
    const Said changed = cli(daemon, "audit verify");
    CHECK(changed.code == 1);
    CHECK_THAT(changed.out, Contains("audit row 2 has been changed"));
    daemon.stop(SIGTERM);
    // Cut off so that it is whole by itself: what was published tells.
    change(
        "update audit set actor = substr(actor, 2) where seq = 2; delete from audit where seq > 2;"
        " update audit_head set seq = 2, hash = (select hash from audit where seq = 2)");
    daemon.start();
    CHECK(cli(daemon, "audit verify").code == 0);
    const Said cut = cli(daemon, "audit verify --head " + last);
    CHECK(cut.code == 1);
    CHECK_THAT(cut.out, Contains("cut off") || Contains("written anew"));
}
