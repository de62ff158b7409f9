// What every command has in common: usage, failures of the connection, failures
// that the daemon answers.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/fd.h"
#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

TEST_CASE("help teaches with examples and exit codes", "[cli]") {
    const FakeDaemon daemon;
    const Ran top = run_berth(daemon, {"--help"});
    CHECK(top.exit == Exit::ok);
    CHECK(top.err.empty());
    check_golden("help.txt", top.out);
    const Ran sync = run_berth(daemon, {"tenant", "sync", "--help"});
    CHECK(sync.exit == Exit::ok);
    check_golden("help_tenant_sync.txt", sync.out);
    CHECK(daemon.asked().empty());
}

TEST_CASE("every command's help has an example", "[cli]") {
    const std::vector<std::vector<std::string>> commands{{"init"},
                                                         {"doctor"},
                                                         {"health"},
                                                         {"version"},
                                                         {"log"},
                                                         {"integration", "list"},
                                                         {"integration", "show"},
                                                         {"integration", "create"},
                                                         {"integration", "update"},
                                                         {"release", "list"},
                                                         {"release", "show"},
                                                         {"release", "create"},
                                                         {"connector", "list"},
                                                         {"connector", "create"},
                                                         {"connector", "attach"},
                                                         {"tenant", "list"},
                                                         {"tenant", "show"},
                                                         {"tenant", "create"},
                                                         {"tenant", "update"},
                                                         {"tenant", "archive"},
                                                         {"tenant", "restore"},
                                                         {"tenant", "pause"},
                                                         {"tenant", "resume"},
                                                         {"tenant", "sync"},
                                                         {"tenant", "metadata"},
                                                         {"connection", "list"},
                                                         {"connection", "set"},
                                                         {"connection", "disconnect"},
                                                         {"run", "list"},
                                                         {"run", "show"},
                                                         {"run", "cancel"},
                                                         {"run", "trigger-status"},
                                                         {"run", "follow"},
                                                         {"schedule", "explain"}};
    for (std::vector<std::string> command : commands) {
        const std::string last = command.back();
        command.push_back("--help");
        const Ran help = run_berth("/nowhere", command);
        INFO(last << '\n' << help.out << help.err);
        CHECK(help.exit == Exit::ok);
        CHECK_THAT(help.out, Contains("Examples:\n") && Contains(last));
    }
}

TEST_CASE("a wrong command line is a usage error that names the command", "[cli]") {
    const FakeDaemon daemon;
    struct Case {
        std::vector<std::string> arguments;
        const char* message;
    };
    const std::vector<Case> cases{
        {{}, "berth --help"},
        {{"tenant"}, "see 'berth tenant --help'"},
        {{"nonsense"}, "there is no command 'nonsense'\n       see 'berth --help'"},
        {{"tenant", "shwo", "acme"}, "there is no command 'shwo'"},
        {{"tenant", "show"}, "TENANT is required"},
        {{"tenant", "sync", "acme", "--mode", "webhook"}, "--mode"},
        {{"tenant", "list", "--limit", "501"}, "--limit"},
        {{"tenant", "create", "x", "--integration", "i", "--release", "1", "--channel", "Latest"},
         "--release excludes --channel"},
        {{"run", "show", "1", "surplus"}, "surplus"},
        {{"tenant", "sync", "acme", "--payload", "[1]"}, "--payload is not a JSON object"},
        {{"tenant", "sync", "acme", "--payload", "{\"a\":1,\"a\":2}"},
         "--payload is not valid JSON"},
        {{"tenant", "sync", "acme", "--payload", "@/nowhere"}, "there is no file '/nowhere'"},
    };
    for (const Case& one : cases) {
        const Ran ran = run_berth(daemon, one.arguments);
        INFO(ran.err);
        CHECK(ran.exit == Exit::usage);
        CHECK(ran.out.empty());
        CHECK_THAT(ran.err, Contains(one.message));
    }
    CHECK(daemon.asked().empty());
}

TEST_CASE("global options may stand anywhere", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"--json", "tenant", "show", "7"},
          {"tenant", "--json", "show", "7"},
          {"tenant", "show", "7", "--json", "--socket", daemon.socket()}}) {
        const Ran ran = run_berth(daemon, arguments);
        CHECK(ran.exit == Exit::ok);
        CHECK(ran.out == "{\n  \"id\": 7,\n  \"name\": \"acme\"\n}\n");
    }
}

TEST_CASE("a tenant may be named like a command", "[cli]") {
    FakeDaemon daemon;
    daemon.on("GET /v2/tenants?limit=500&skip=0", {200, R"([{"id":1,"name":"list"}])"});
    const Ran ran = run_berth(daemon, {"tenant", "show", "list", "--json"});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.out, Contains("\"list\""));
}

TEST_CASE("without a daemon the socket and the cure are named", "[cli]") {
    const TempDir dir{"berth-cli-none"};
    const std::string socket = (dir.path() / "control.sock").string();
    const Ran ran = run_berth(socket, {"tenant", "list"});
    CHECK(ran.exit == Exit::unreachable);
    CHECK(ran.out.empty());
    CHECK_THAT(ran.err, Contains(socket) && Contains("berthd"));
}

TEST_CASE("a socket that is not permitted is told apart from none", "[cli]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root can try this as another user");
        return;
    }
    // Before the daemon has threads: a child of many threads can find any lock taken.
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd told{ends[0]}, tell{ends[1]};
    const pid_t child = ::fork();
    if (child == 0) {
        char path[200] = {};
        if (::read(told.get(), path, sizeof path - 1) <= 0) ::_exit(97);
        if (::setresuid(65534, 65534, 65534) != 0) ::_exit(99);
        const Ran ran = run_berth(path, {"tenant", "list"});
        const bool named =
            ran.err.find(path) != std::string::npos && ran.err.find("group") != std::string::npos;
        ::_exit(named ? static_cast<int>(ran.exit) : 98);
    }
    const FakeDaemon daemon;
    ::chmod(daemon.dir().c_str(), 0755);
    ::chmod(daemon.socket().c_str(), 0600);
    const std::string socket = daemon.socket();
    REQUIRE(::write(tell.get(), socket.data(), socket.size()) ==
            static_cast<ssize_t>(socket.size()));
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == static_cast<int>(Exit::unreachable));
}

TEST_CASE("what the daemon refuses is said in its own words", "[cli]") {
    FakeDaemon daemon;
    const auto answer = [&](Answer reply) {
        daemon.on("GET /v2/runs/5", std::move(reply));
        return run_berth(daemon, {"run", "show", "5"});
    };
    Ran ran = answer({404, R"({"message":"there is no run '5'"})"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.err == "berth: there is no run '5'\n");

    ran = answer({403, R"({"detail":"Not authorized"})"});
    CHECK(ran.exit == Exit::unreachable);
    CHECK(ran.err == "berth: Not authorized; this takes root or a member of the group 'berth'\n");

    ran = answer({422, R"({"detail":[{"loc":["path","run_id"],"msg":"must be a number","type":"t"},
                       {"loc":["body","connectors",0,"name"],"msg":"is too long","type":"t"}]})"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.err == "berth: run_id: must be a number\n       connectors.0.name: is too long\n");

    ran = answer({503, R"({"message":"the store is busy"})", {{"retry-after", "3"}}});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.err == "berth: the store is busy; try again in 3 s\n");

    ran = answer({500, "<html>\x1b[31m</html>"});
    CHECK(ran.exit == Exit::failed);
    CHECK_THAT(ran.err, Contains("the daemon failed") && Contains("\\x1b") && Contains("500"));
    CHECK(ran.err.find('\x1b') == std::string::npos);

    ran = answer({409, "{}"});
    CHECK(ran.err == "berth: the daemon answered with status 409\n");

    ran = answer({200, "not json"});
    CHECK(ran.exit == Exit::unreachable);
    CHECK_THAT(ran.err, Contains("not Berth"));
}

TEST_CASE("answers of another shape than promised do no harm", "[cli]") {
    FakeDaemon daemon;
    for (const char* body : {"null", "[]", "{}", "7", "\"x\"", "[1,null,[]]",
                             R"([{"id":{},"name":[],"status":3,"connectors":{"a":1}}])"}) {
        INFO(body);
        for (const char* path : {"tenants?limit=100&skip=0", "integrations?limit=100&skip=0",
                                 "connectors?limit=100&skip=0", "tenants/1", "integrations/1",
                                 "tenants/1/connectors", "integrations/1/releases", "runs/1",
                                 "runs/1/events", "runs?limit=20&skip=0&sort_by=id__DESC"})
            daemon.on(std::string{"GET /v2/"} + path, {200, body});
        for (const std::vector<std::string>& command : {std::vector<std::string>{"tenant", "list"},
                                                        {"tenant", "show", "1"},
                                                        {"integration", "list"},
                                                        {"integration", "show", "1"},
                                                        {"connector", "list"},
                                                        {"connection", "list", "1"},
                                                        {"release", "list", "1"},
                                                        {"run", "list"},
                                                        {"run", "show", "1"}}) {
            const Exit exit = run_berth(daemon, command).exit;
            CHECK((exit == Exit::ok || exit == Exit::failed));
        }
    }
}
