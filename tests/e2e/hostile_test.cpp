// Hostile HTTP against the real daemon. tests/control has every shape against the
// server alone; here is one of each family, and what the daemon is like afterwards.
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using namespace std::chrono_literals;

namespace {

// A connection that says what it is told to, byte for byte.
class Raw {
public:
    explicit Raw(const std::filesystem::path& path)
        : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    // The server may hang up before it has read all: that is its right.
    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    bool is_readable() const {
        pollfd waiting{fd_.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 0) == 1;
    }
    void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
    // All that comes until the server hangs up.
    std::string read_all() {
        std::string all;
        char buffer[4096];
        for (;;) {
            pollfd waiting{fd_.get(), POLLIN, 0};
            REQUIRE(::poll(&waiting, 1, 180'000) == 1);  // not closed: the server hangs
            const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
            if (got <= 0) return all;
            all.append(buffer, static_cast<std::size_t>(got));
        }
    }

private:
    berth::Fd fd_;
};

std::vector<int> statuses(const std::string& answers) {
    std::vector<int> found;
    const std::string line = "HTTP/1.1 ";
    for (auto at = answers.find(line); at != std::string::npos; at = answers.find(line, at + 1))
        found.push_back(std::stoi(answers.substr(at + line.size(), 3)));
    return found;
}

const std::string kHealth = "GET /v2/health HTTP/1.1\r\nHost: b\r\n\r\n";

}  // namespace

TEST_CASE("hostile requests are refused by the daemon, and it serves on", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const auto made = daemon.install("hostile", {{"PANDIUM.yaml", manifest("true")}});
    daemon.must("PATCH", fmt::format("/v2/integrations/{}", made.integration), {{"paused", true}});
    const auto sync =
        fmt::format("POST /v2/tenants/{}/sync?mode=normal HTTP/1.1\r\nHost: b\r\n", made.tenant);
    const auto smuggled = sync + "Content-Length: 0\r\n\r\n";
    struct Case {
        const char* what;
        std::string bytes;
        std::vector<int> statuses;
        int triggers;  // that may come of it
    };
    const std::vector<Case> cases{
        {"pipelined", kHealth + smuggled + kHealth, {200, 202, 200}, 1},
        {"a head without end",
         "GET /v2/health HTTP/1.1\r\nA: " + std::string(20'000, 'x'),
         {431},
         0},
        {"a target without end", "GET /" + std::string(20'000, 'x'), {414}, 0},
        {"a body over the limit, announced", sync + "Content-Length: 99999999\r\n\r\n", {413}, 0},
        {"a body over the limit, in chunks",
         sync + "Transfer-Encoding: chunked\r\n\r\n5000001\r\n",
         {413},
         0},
        {"two lengths", sync + "Content-Length: 5\r\nContent-Length: 0\r\n\r\n{}   ", {400}, 0},
        {"length and coding (CL.TE)",
         sync + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
         {400},
         0},
        {"coding and length (TE.CL)",
         sync + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\n{}\r\n0\r\n\r\n" +
             smuggled,
         {400},
         0},
        {"two codings, one hidden (TE.TE)",
         sync + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + smuggled,
         {400},
         0},
        {"a space before the colon", sync + "Content-Length : 2\r\n\r\n{}", {400}, 0},
        {"bare line feeds", "GET /v2/health HTTP/1.1\nHost: b\n\n" + smuggled, {400}, 0},
        {"half a head", sync + "Content-Le", {}, 0},
        {"half a body", sync + "Content-Length: 20\r\n\r\n{\"a\":", {}, 0},
        {"half a chunk", sync + "Transfer-Encoding: chunked\r\n\r\n20\r\n{\"a\":", {}, 0},
        {"a way up", "GET /v2/../../etc/passwd HTTP/1.1\r\nHost: b\r\n\r\n", {400}, 0},
        {"no HTTP at all", std::string{"\x16\x03\x01\x02\x00\x01\n\n", 8}, {400}, 0},
        {"nothing", "", {}, 0},
    };
    const auto tenant = fmt::format("/v2/tenants/{}", made.tenant);
    int expected = 0;
    for (const Case& one : cases) {
        INFO(one.what);
        Raw raw{daemon.socket()};
        raw.send(one.bytes);
        raw.end_sending();
        CHECK(statuses(raw.read_all()) == one.statuses);
        expected += one.triggers;
        CHECK(daemon.must("GET", tenant)["status"]["waiting_triggers"] == expected);
    }
    CHECK(daemon.request("GET", "/v2/health").status == 200);
}

TEST_CASE("clients that stall do not keep others from being served", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    std::vector<std::unique_ptr<Raw>> stalled;
    const auto all_stall = [&] {
        return std::ranges::none_of(stalled, [](const auto& one) { return one->is_readable(); });
    };
    // A head has ten seconds: on a machine that pauses for that long, once more.
    bool meanwhile = false;
    for (int tries = 0; !meanwhile && tries < 10; ++tries) {
        stalled.clear();
        for (int i = 0; i < 200; ++i) {
            stalled.push_back(std::make_unique<Raw>(daemon.socket()));
            stalled.back()->send("POST /v2/integrations HTTP/1.1\r\nHost: b\r\nContent-Le");
        }
        CHECK(daemon.request("GET", "/v2/health").status == 200);
        const json wanted{{"name", fmt::format("between-{}", tries)}};
        CHECK(daemon.request("POST", "/v2/integrations", wanted).status == 200);
        meanwhile = all_stall();
    }
    CHECK(meanwhile);
    // A head has ten seconds, whatever else goes on.
    CHECK(statuses(stalled.front()->read_all()) == std::vector<int>{408});
    CHECK(daemon.request("GET", "/v2/health").status == 200);
}

TEST_CASE("an upload that breaks off makes no release and leaves nothing behind", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::int64_t id = daemon.must("POST", "/v2/integrations", {{"name", "broken"}})["id"];
    const auto files = [&] {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry :
             std::filesystem::recursive_directory_iterator{daemon.state_dir()})
            ++count;
        return count;
    };
    const auto before = files();
    {
        Raw raw{daemon.socket()};
        raw.send(
            fmt::format("POST /v2/integrations/{}/releases?default=true HTTP/1.1\r\nHost: b\r\n"
                        "Content-Type: application/x-tar\r\nContent-Length: 3000000\r\n\r\n{}",
                        id, std::string(1'000'000, '\0')));
        raw.end_sending();
        CHECK(statuses(raw.read_all()).empty());
    }
    CHECK(daemon.must("GET", fmt::format("/v2/integrations/{}/releases", id)).empty());
    CHECK(files() == before);
}

TEST_CASE("manifests that are traps are refused with their place, in little time", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon;
    const std::int64_t id = daemon.must("POST", "/v2/integrations", {{"name", "traps"}})["id"];
    const auto good = manifest("true");
    const auto nested = [](std::size_t depth, const char* open, const char* close) {
        std::string text;
        for (std::size_t i = 0; i < depth; ++i)
            text += open;
        for (std::size_t i = 0; i < depth; ++i)
            text += close;
        return text;
    };
    std::string laughs = "a: &a [lol]\n";
    for (char c = 'b'; c <= 'z'; ++c)
        laughs += fmt::format("{0}: &{0} [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}]\n", c,
                              static_cast<char>(c - 1));
    struct Case {
        const char* what;
        std::string text;
        const char* says;
    };
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& [what, text, says] : std::vector<Case>{
             {"a billion laughs", laughs + good, "PANDIUM.yaml:"},
             {"merge keys without end", "a: &a {<<: *a}\n" + good, "PANDIUM.yaml:1:"},
             {"an anchor in itself", "a: &a [*a]\n" + good, "PANDIUM.yaml:1:"},
             {"100000 brackets", good + "x: " + nested(100'000, "[", "]") + "\n", "PANDIUM.yaml:"},
             {"50000 braces", good + "x: " + nested(50'000, "{a: ", "}") + "\n", "PANDIUM.yaml:"},
             {"100000 dashes", good + "x:\n  " + nested(100'000, "- ", "") + "1\n",
              "PANDIUM.yaml:"},
             {"a tab as indentation", "version: 1.0\n\tbase: sh\n", "PANDIUM.yaml:2:1"},
             {"a key that is there twice", good + "base: sh\n", "'base'"},
             {"a key twice further down", good + "metadata_schema: {schema: {}, schema: {}}\n",
              "'schema'"},
             {"two documents", good + "---\n" + good, "PANDIUM.yaml:"},
             {"a tag that makes objects", "version: !!python/object:os.system x\n",
              "PANDIUM.yaml:1:"},
             {"bytes that are no text", "version: \xff\xfe\n", "PANDIUM.yaml"},
             {"a NUL", std::string{"version: 1.0\0\n", 14}, "PANDIUM.yaml"},
             {"nothing at all", "", "PANDIUM.yaml"},
             {"a list", "- 1\n", "PANDIUM.yaml"},
             {"4 MB", good + "# " + std::string(4'000'000, 'x') + "\n", "PANDIUM.yaml"}}) {
        INFO(what);
        const auto answer = daemon.upload(id, {{"PANDIUM.yaml", text}});
        INFO(answer.body.substr(0, 500));
        CHECK(answer.status == 422);
        const json said = json::parse(answer.body);
        REQUIRE(said.contains("detail"));
        CHECK(said["detail"][0]["msg"].get<std::string>().find(says) != std::string::npos);
        CHECK(answer.body.size() < 4000);
        CHECK(daemon.request("GET", "/v2/health").status == 200);
    }
    CHECK(std::chrono::steady_clock::now() - begin < 240s);
    CHECK(daemon.upload(id, {{"PANDIUM.yaml/main.sh", "true"}}).status == 422);  // a folder
    CHECK(daemon.must("GET", fmt::format("/v2/integrations/{}/releases", id)).empty());
    CHECK(daemon.upload(id, {{"PANDIUM.yaml", good}}).status == 200);
}
