// Credentials: where they come from, and that they show up nowhere.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>

#include <catch2/catch.hpp>
#include <thread>

#include "cli/input.h"
#include "tests/cli/fake_daemon.h"

using namespace berth;
using namespace berth::test;
using Catch::Matchers::Contains;

namespace {

void lay(FakeDaemon& daemon) {
    daemon.on("GET /v2/tenants/7", {200, R"({"id":7,"name":"acme"})"});
    daemon.on("GET /v2/integrations/1", {200, R"({"id":1,"name":"shop-sync"})"});
    for (const char* owner : {"tenants/7", "integrations/1"})
        daemon.on(std::string{"PUT /v2/"} + owner + "/connectors/shop/connection",
                  {200, R"({"connector":"shop","status":"connected","secrets":["token"]})"});
}

std::string sent(const FakeDaemon& daemon) { return daemon.only("PUT", "/v2/").body; }

}  // namespace

TEST_CASE("a secret from standard input loses one line end and nothing else", "[cli]") {
    struct Case {
        const char* input;
        const char* value;
    };
    for (const Case& one :
         {Case{"s3cret\n", "s3cret"}, Case{"s3cret\r\n", "s3cret"}, Case{"s3cret", "s3cret"},
          Case{"two\nlines\n\n", "two\\u000alines\\u000a"},
          Case{" s \"q\" \\\t", " s \\\"q\\\" \\\\\\u0009"}, Case{"", ""}}) {
        FakeDaemon daemon;
        lay(daemon);
        const Ran ran =
            run_berth(daemon, {"connection", "set", "7", "shop", "token=-"}, {.input = one.input});
        INFO(ran.err);
        CHECK(ran.exit == Exit::ok);
        CHECK(sent(daemon) == std::string{R"({"secrets":{"token":")"} + one.value + "\"}}");
        CHECK(ran.err.empty());
    }
}

TEST_CASE("secrets come from files and for global connectors", "[cli]") {
    FakeDaemon daemon;
    lay(daemon);
    write_file_atomically(daemon.dir() / "key.pem", "-----BEGIN\nabc\n", 0600);
    const Ran ran = run_berth(daemon, {"connection", "set", "--global", "1", "shop",
                                       "token=@" + (daemon.dir() / "key.pem").string()});
    CHECK(ran.exit == Exit::ok);
    CHECK(daemon.only("PUT", "/v2/").target == "/v2/integrations/1/connectors/shop/connection");
    CHECK(sent(daemon) == R"({"secrets":{"token":"-----BEGIN\u000aabc"}})");
    CHECK(ran.out ==
          "integration  shop-sync\nconnector    shop\nstatus       connected\n"
          "fields       token\n");
}

TEST_CASE("a value on the command line is warned about and never repeated", "[cli]") {
    FakeDaemon daemon;
    lay(daemon);
    const Ran ran = run_berth(daemon, {"connection", "set", "7", "shop", "token=hunter2hunter2"});
    CHECK(ran.exit == Exit::ok);
    CHECK_THAT(ran.err, Contains("warning") && Contains("'token'") && Contains("token=-"));
    CHECK((ran.out + ran.err).find("hunter2") == std::string::npos);
}

TEST_CASE("no refusal repeats a secret", "[cli]") {
    FakeDaemon daemon;
    lay(daemon);
    struct Case {
        std::vector<std::string> fields;
        const char* message;
        Exit exit = Exit::usage;
    };
    const std::vector<Case> cases{
        {{"hunter2"}, "has no '='"},
        {{"=hunter2"}, "a field has no name"},
        {{"token=hunter2", "token=hunter2"}, "field 'token' is given twice"},
        {{"a=-", "b=-"}, "only one field"},
        {{"--token=hunter2"}, "--token=..."},
        {{"token=hunter2\xff"}, "not UTF-8"},
        {{"token=@/nowhere/hunter"}, "cannot read the file", Exit::failed},
        {{}, "no field is given"},
        {{"token=hunter2", "--prompt", "token"}, "given twice"},
        {{"--prompt", "token"}, "needs a terminal"},
    };
    for (const Case& one : cases) {
        std::vector<std::string> arguments{"connection", "set", "7", "shop"};
        arguments.insert(arguments.end(), one.fields.begin(), one.fields.end());
        const Ran ran = run_berth(daemon, arguments, {.input = "x"});
        INFO(ran.err);
        CHECK(ran.exit == one.exit);
        CHECK_THAT(ran.err, Contains(one.message));
        CHECK((ran.out + ran.err).find("hunter2") == std::string::npos);
    }
    for (const Asked& asked : daemon.asked())
        CHECK(asked.method == "GET");  // nothing was stored
}

TEST_CASE("a refusal of the daemon does not show the secret either", "[cli]") {
    FakeDaemon daemon;
    lay(daemon);
    daemon.on("PUT /v2/tenants/7/connectors/shop/connection",
              {422, R"({"detail":[{"loc":["body","secrets"],"msg":"is unknown","type":"t"}]})"});
    const Ran ran = run_berth(daemon, {"connection", "set", "7", "shop", "token=-"},
                              {.input = "hunter2hunter2"});
    CHECK(ran.exit == Exit::failed);
    CHECK(ran.err == "berth: secrets: is unknown\n");
}

TEST_CASE("a secret larger than the limit is refused before it is sent", "[cli]") {
    FakeDaemon daemon;
    lay(daemon);
    write_file_atomically(daemon.dir() / "fits", std::string(64 * 1024, 'x') + "\r\n", 0600);
    write_file_atomically(daemon.dir() / "large", std::string(64 * 1024 + 1, 'x'), 0600);
    const auto set = [&](const char* name) {
        return run_berth(
            daemon, {"connection", "set", "7", "shop", "token=@" + (daemon.dir() / name).string()});
    };
    CHECK(set("fits").exit == Exit::ok);
    const Ran ran = set("large");
    CHECK(ran.exit == Exit::failed);
    CHECK_THAT(ran.err, Contains("more than 65536 bytes"));
}

TEST_CASE("a prompt does not echo, and takes corrections", "[cli]") {
    const Fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(master);
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    char name[64];
    REQUIRE(::ptsname_r(master.get(), name, sizeof name) == 0);
    const Fd terminal{::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(terminal);

    const auto type = [&](std::string_view keys) {
        std::string shown_text;
        std::thread person{[&] {
            char byte = 0;  // the question is there once echo is off
            while (shown_text.find("token: ") == std::string::npos &&
                   ::read(master.get(), &byte, 1) == 1)
                shown_text += byte;
            write_all(master.get(), keys);
            while (!shown_text.ends_with('\n') && ::read(master.get(), &byte, 1) == 1)
                shown_text += byte;
        }};
        auto secret = prompt_secret(terminal.get(), "token: ");
        person.join();
        CHECK(shown_text == "token: \r\n");
        return secret;
    };
    auto typed = type(
        "wrong\x15hunterx\x7f"
        "2\r");
    REQUIRE(typed);
    CHECK(typed->reveal() == "hunter2");
    auto given_up = type("half\x03");
    REQUIRE_FALSE(given_up);
    CHECK_THAT(given_up.error().message, Contains("given up"));
    termios after{};
    REQUIRE(::tcgetattr(terminal.get(), &after) == 0);
    CHECK((after.c_lflag & (ECHO | ICANON | ISIG)) == (ECHO | ICANON | ISIG));
}
