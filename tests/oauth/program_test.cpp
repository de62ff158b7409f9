// berth-oauth itself, against a server of our own that answers whatever it is told to.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include "base/fd.h"
#include "base/file.h"
#include "connectors/oauth_request.h"
#include "model/job_answer.h"
#include "tests/support/seed.h"

using namespace berth;
using Catch::Contains;

namespace {

const std::string kClientSecret = "CLIENT-SECRET-0123456789";
const std::string kRefreshToken = "REFRESH-TOKEN-0123456789";

// One connection after the other: reads the whole request, answers these bytes, hangs up.
class Answering {
public:
    explicit Answering(std::string answer) : answer_{std::move(answer)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(fd_.get(), 4) == 0);
        socklen_t size = sizeof address;
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~Answering() {
        ::shutdown(fd_.get(), SHUT_RDWR);
        thread_.join();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/token"; }
    std::string request;  // to be read when the program has ended

private:
    void serve() {
        for (;;) {
            const Fd peer{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!peer) return;
            std::string got;
            std::array<char, 4096> buffer{};
            while (!whole(got)) {
                const auto bytes = ::read(peer.get(), buffer.data(), buffer.size());
                if (bytes <= 0) break;
                got.append(buffer.data(), static_cast<std::size_t>(bytes));
            }
            request = got;
            for (std::string_view left = answer_; !left.empty();) {
                const auto wrote = ::send(peer.get(), left.data(), left.size(), MSG_NOSIGNAL);
                if (wrote <= 0) break;
                left.remove_prefix(static_cast<std::size_t>(wrote));
            }
        }
    }
    static bool whole(const std::string& got) {
        const auto head = got.find("\r\n\r\n");
        const auto length = got.find("Content-Length: ");
        if (head == std::string::npos || length == std::string::npos) return false;
        return got.size() >= head + 4 + std::stoul(got.substr(length + 16));
    }

    std::string answer_;
    Fd fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int port_ = 0;
    std::thread thread_;
};

struct Ended {
    int code = -1;
    std::string out, err;
    std::map<std::string, std::string> plain, secret;
};

Ended run_program(const OAuthRequest& request) {
    const TempDir dir{"oauth"};
    const std::string out = (dir.path() / "out").string();
    const std::string err = (dir.path() / "err").string();
    const std::vector<std::string> env{
        std::string{oauth_env::kRequest} + "=" + to_json_text(request),
        std::string{oauth_env::kClientId} + "=client-1",
        std::string{oauth_env::kClientSecret} + "=" + kClientSecret,
        std::string{oauth_env::kRefreshToken} + "=" + kRefreshToken,
        "http_proxy=http://127.0.0.1:1",
        "all_proxy=http://127.0.0.1:1"};
    const std::string program = std::string{BERTH_BINARY_DIR} + "/bin/berth-oauth";
    std::vector<char*> envp;
    for (const std::string& entry : env)
        envp.push_back(const_cast<char*>(entry.c_str()));
    envp.push_back(nullptr);
    std::array<char*, 2> argv{const_cast<char*>(program.c_str()), nullptr};
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        if (!std::freopen(out.c_str(), "w", stdout) || !std::freopen(err.c_str(), "w", stderr))
            ::_exit(126);
        ::execve(program.c_str(), argv.data(), envp.data());
        ::_exit(127);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    Ended ended;
    ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ended.out = *read_file(out, 4 << 20);
    ended.err = *read_file(err, 4 << 20);
    std::vector<JobRecord> records;
    if (ended.code == 0) REQUIRE(parse_job_answer(ended.out, records));
    for (const JobRecord& record : records)
        (record.secret ? ended.secret : ended.plain)[std::string{record.name}] = record.value;
    return ended;
}

OAuthRequest asking(const std::string& url) {
    OAuthRequest request;
    request.url = url;
    request.plain_http = true;
    request.ticket = "9";
    return request;
}

std::string http(int status, const std::string& body, const std::string& more = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" +
           more + "Content-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n\r\n" + body;
}

const std::string kGood =
    R"({"access_token":"ACCESS-NEW-0123456789","refresh_token":"REFRESH-NEW-0123456789",)"
    R"("expires_in":3600,"scope":"a b"})";

}  // namespace

TEST_CASE("berth-oauth gives the tokens as secrets and says nothing of them", "[oauth]") {
    Answering server{http(200, kGood)};
    Ended ended = run_program(asking(server.url()));
    INFO(ended.err);
    REQUIRE(ended.code == 0);
    CHECK(ended.plain["verdict"] == "granted");
    CHECK(ended.plain["ticket"] == "9");
    CHECK(ended.secret["access_token"] == "ACCESS-NEW-0123456789");
    CHECK(ended.secret["refresh_token"] == "REFRESH-NEW-0123456789");
    CHECK(ended.err == "refresh_token: granted\n");
    CHECK_THAT(server.request, Contains("POST /token HTTP/1.1\r\n") &&
                                   Contains("Authorization: Basic ") &&
                                   Contains("refresh_token=" + kRefreshToken));
}

TEST_CASE("berth-oauth asks in JSON where the provider wants that", "[oauth]") {
    Answering server{http(200, kGood)};
    auto request = asking(server.url());
    request.json = true;
    CHECK(run_program(request).plain["verdict"] == "granted");
    CHECK_THAT(server.request, Contains("Content-Type: application/json\r\n") &&
                                   !Contains("urlencoded") &&
                                   Contains("\"refresh_token\":\"" + kRefreshToken + "\""));
}

TEST_CASE("a server that is not there, not TLS or elsewhere is an outage", "[oauth]") {
    CHECK(run_program(asking("http://127.0.0.1:1/")).plain["verdict"] == "outage");
    CHECK(run_program(asking("https://name.invalid/")).plain["verdict"] == "outage");
    Answering server{http(200, kGood)};
    auto request = asking(server.url());
    request.url.replace(0, 4, "https");
    CHECK(run_program(request).plain["verdict"] == "outage");
    // Not even where the administrator allows plain http is a redirect followed.
    Answering to{http(307, "", "Location: " + server.url() + "\r\n")};
    Ended redirected = run_program(asking(to.url()));
    CHECK(redirected.plain["verdict"] == "outage");
    CHECK_THAT(redirected.plain["reason"], Contains("redirect"));
    CHECK_FALSE(server.request.starts_with("POST"));  // the token went nowhere else
}

TEST_CASE("without the administrator's word nothing is sent in the clear", "[oauth]") {
    Answering server{http(200, kGood)};
    auto request = asking(server.url());
    request.plain_http = false;
    CHECK(run_program(request).plain["verdict"] == "ours");
    CHECK(server.request.empty());
}

TEST_CASE("an answer that is not HTTP is an outage, not our fault", "[oauth]") {
    for (const char* said : {"", "\n", "SSH-2.0-OpenSSH_9.2\r\n", "<html>no</html>"}) {
        Answering server{said};
        Ended ended = run_program(asking(server.url()));
        INFO(said << "\n" << ended.err);
        CHECK(ended.plain["verdict"] == "outage");
        CHECK(ended.secret.empty());
    }
}

TEST_CASE("hostile answers crash nothing and leak nothing", "[oauth]") {
    auto random = berth::test::seeded_random("hostile servers");
    const auto pick = [&](std::size_t limit) { return berth::test::below(random, limit); };
    std::map<std::string, int> verdicts;
    const char* wanted = std::getenv("BERTH_HOSTILE_ANSWERS");
    const auto answers = wanted ? std::strtoul(wanted, nullptr, 10) : 40;
    for (std::size_t i = 0; i < answers; ++i) {
        std::string body = kGood;
        switch (pick(5)) {
            case 0:
                body =
                    R"({"error":"invalid_grant","error_description":"no: )" + kRefreshToken + "\"}";
                break;
            case 1:
                body.insert(pick(body.size()), std::string(1, static_cast<char>(pick(256))));
                break;
            case 2: body.resize(pick(body.size())); break;
            case 3: body = std::string(pick(3) << 20, 'x'); break;
            case 4: body = std::string(pick(2000), '[') + kClientSecret; break;
        }
        // Mostly those by which the body is read at all.
        const std::array<int, 4> statuses{200, 400, 401, static_cast<int>(100 + pick(500))};
        std::string answer = http(statuses.at(pick(statuses.size())), body);
        switch (pick(6)) {
            case 0: answer.resize(pick(answer.size())); break;
            case 1:
                answer = "HTTP/1.1 200 OK\r\n" + std::string(pick(300'000), 'h') + "\r\n\r\n";
                break;
            case 2: answer = std::string(pick(64), '\0') + answer; break;
            case 3:
                answer =
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n" + body;
                break;
            default: break;
        }
        // An interim answer is waited for the final one; the server hangs up instead.
        Answering server{answer};
        Ended ended = run_program(asking(server.url()));
        INFO(answer.substr(0, 300));
        INFO(ended.err);
        REQUIRE(ended.code == 0);
        ++verdicts[ended.plain["verdict"]];
        if (ended.plain["verdict"] != "granted") REQUIRE(ended.secret.empty());
        REQUIRE(ended.err.size() < 1000);
        for (const std::string& secret :
             {kClientSecret, kRefreshToken, std::string{"ACCESS-NEW-0123456789"}}) {
            REQUIRE(ended.err.find(secret) == std::string::npos);
            for (const auto& [name, value] : ended.plain)
                REQUIRE(value.find(secret) == std::string::npos);
        }
    }
    for (const auto& [verdict, count] : verdicts)
        std::cout << verdict << ": " << count << '\n';
    CHECK(verdicts["outage"] > 0);
    CHECK(verdicts["ours"] == 0);
}
