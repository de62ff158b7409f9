// Jobs: what leaves the runner of what a program said, and when.
#include "sandbox/runner/jobs.h"

#include <catch2/catch.hpp>

#include "base/text.h"
#include "model/job_answer.h"
#include "model/limits.h"
#include "tests/runner/hand_played.h"
#include "tests/runner/real_programs.h"
#include "tests/support/needs_sandbox.h"
#include "tests/support/seed.h"

using namespace berth;
using ipc::EndKind;

namespace {

constexpr const char* kInput = "inpu7-secret-of-the-connection";
constexpr const char* kToken = "t0ken-that-the-provider-gave";

ipc::StartJob job(std::uint64_t id) {
    ipc::StartJob start;
    start.job = id;
    start.program = "berth-oauth";
    start.release = "r1";
    start.env = {"A=1"};
    start.memory_bytes = limits::kJobMemoryBytes;
    start.wall_time_s = 30;
    return start;
}

// A stage with keys, and a job that has one secret and one field to be sealed.
class JobStage : public Stage {
public:
    JobStage() {
        launcher_says_hello();
        load_keys();
    }
    ipc::StartJob with_secrets(std::uint64_t id) {
        auto start = job(id);
        start.secrets = {sealed_secret("TOKEN", kInput)};
        start.manifests = {list_of(start.secrets)};
        ipc::JobSeal seal;
        seal.name = "access_token";
        seal.where = start.secrets[0].where;
        seal.where.field = "access_token";
        seal.where.version = 2;
        seal.data_key = start.secrets[0].data_key;
        start.seal = {seal};
        return start;
    }
    PlayedSandbox begin(const ipc::StartJob& start) {
        berthd->send(start);
        auto sandbox = reply_built(next_request());
        take_plan(sandbox);
        sandbox.plan.reset();
        return sandbox;
    }
    // What the program prints. It may be more than a pipe holds.
    void say(PlayedSandbox& sandbox, std::size_t stream, std::string_view text) {
        const int fd = sandbox.plan_packet.descriptors.at(stream).get();
        REQUIRE(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
        run_until(loop, [&] {
            const auto wrote = ::write(fd, text.data(), text.size());
            if (wrote > 0) text.remove_prefix(static_cast<std::size_t>(wrote));
            return text.empty();
        });
    }
    const ipc::JobEnded& over() {
        run_until(loop, [&] { return !heard.jobs.empty(); });
        return heard.jobs.back();
    }
    const ipc::JobEnded& run(const ipc::StartJob& start, std::string_view out,
                             std::string_view err = "", int wait_status = 0) {
        auto sandbox = begin(start);
        say(sandbox, 1, out);
        say(sandbox, 2, err);
        end(sandbox, wait_status);
        return over();
    }
    // What is in an envelope, as a script would get it.
    std::string opened(const ipc::JobSeal& seal, const std::string& envelope) {
        auto looks = start(900);
        looks.secrets = {{{"VALUE"}, seal.where, seal.data_key, envelope}};
        looks.manifests = {list_of(looks.secrets)};
        berthd->send(looks);
        run_until(loop, [&] {
            for (const auto& [run, ended] : heard.ended)
                FAIL("run " << run << ": " << ended.text);
            return runner::receive_packet(launcher.get(), MSG_PEEK).state ==
                   Packet::State::received;
        });
        auto sandbox = reply_built(next_request());
        take_plan(sandbox);
        const auto at = sandbox.plan_bytes.find("VALUE=");
        REQUIRE(at != std::string::npos);
        return sandbox.plan_bytes.c_str() + at + 6;
    }
};

std::string text_of(const ipc::JobEnded& ended) {
    std::string all = ended.text + "\n" + ended.log;
    for (const auto& field : ended.answer)
        all += "\n" + field.name + "\n" + field.value;
    for (const auto& field : ended.sealed)
        all += "\n" + field.name + "\n" + field.value;
    return all;
}

std::string answer(std::initializer_list<JobRecord> records) {
    std::string text;
    for (const JobRecord& record : records)
        record.secret ? put_secret(text, record.name, record.value)
                      : put_plain(text, record.name, record.value);
    put_end(text);
    return text;
}

}  // namespace

TEST_CASE("what a job answers in secret comes back sealed, the rest masked", "[jobs]") {
    JobStage berth;
    const auto start = berth.with_secrets(7);
    const std::string echo = std::string{"you sent "} + kInput + " and get " + kToken;
    const auto& ended = berth.run(start,
                                  answer({{true, "access_token", kToken},
                                          {true, "id_token", "dropped-since-nobody-wants-it"},
                                          {false, "expires_in", "3600"},
                                          {false, "echo", echo}}),
                                  "log of " + to_base64(kToken) + " and " + kInput + "\n");
    CHECK(ended.job == 7);
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.text.empty());
    REQUIRE(ended.answer.size() == 2);
    CHECK(ended.answer[0].name == "expires_in");
    CHECK(ended.answer[0].value == "3600");
    CHECK(ended.answer[1].value == "you sent *** and get ***");
    CHECK_THAT(ended.log, Catch::StartsWith("log of ***"));
    CHECK_THAT(ended.log, Catch::EndsWith(" and ***\n"));
    CHECK(ended.log.find(to_base64(kToken).substr(0, 8)) == std::string::npos);
    CHECK(ended.user_us == 11);
    REQUIRE(ended.sealed.size() == 1);
    CHECK(ended.sealed[0].name == "access_token");
    for (const char* secret : {kInput, kToken, "dropped-since"})
        CHECK(text_of(ended).find(secret) == std::string::npos);
    CHECK(berth.heard.outputs.empty());  // nothing is told as it comes
    CHECK(berth.heard.started.empty());
    const std::string envelope = ended.sealed[0].value;
    CHECK(berth.opened(start.seal[0], envelope) == kToken);
}

TEST_CASE("the program of a job gets its files and secrets, and no network unless it needs one",
          "[jobs]") {
    JobStage berth;
    auto start = berth.with_secrets(1);
    start.files = {{"request.json", "{}"}};
    berth.berthd->send(start);
    const auto request = berth.next_request();
    CHECK(request.kind.network == ipc::Network::none);
    CHECK(request.kind.grants == 0);
    CHECK(std::string{request.kind.runtime} == "host");
    CHECK(request.assignment.limits.memory_bytes == limits::kJobMemoryBytes);
    auto sandbox = berth.reply_built(request);
    berth.take_plan(sandbox);
    CHECK(sandbox.plan_bytes.find("/app/berth-oauth") != std::string::npos);
    CHECK(sandbox.plan_bytes.find(std::string{"TOKEN="} + kInput) != std::string::npos);
    CHECK(sandbox.plan_bytes.find("request.json") != std::string::npos);
}

TEST_CASE("a job that needs the network is refused while berth-egress is away", "[jobs]") {
    JobStage berth;
    auto start = job(2);
    start.egress_names = {"api.example.com"};
    berth.berthd->send(start);
    const auto& ended = berth.over();
    CHECK(ended.kind == EndKind::setup_failed);
    CHECK(ended.text == "berth-egress is not there; see whether it is running");
}

TEST_CASE("an answer that cannot be read is no answer, and its log is masked all the same",
          "[jobs]") {
    JobStage berth;
    std::string cut = answer({{true, "access_token", kToken}, {false, "x", "y"}});
    cut.resize(cut.size() - 4);
    const auto& ended = berth.run(berth.with_secrets(3), cut, std::string{"got "} + kToken);
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.text == "record 3 of the answer is missing: it has no end");
    CHECK(ended.answer.empty());
    CHECK(ended.sealed.empty());
    CHECK(ended.log == "got ***");
}

TEST_CASE("a job whose secret was changed, put back or is on no list is refused", "[jobs]") {
    JobStage berth;
    const auto refused = [&](const ipc::StartJob& start, const std::string& why) {
        berth.berthd->send(start);
        CHECK(berth.over().kind == EndKind::setup_failed);
        CHECK_THAT(berth.over().text, Catch::Contains(why));
        berth.heard.jobs.clear();
    };
    const auto old = berth.with_secrets(1);
    CHECK(berth.run(old, answer({})).text.empty());
    berth.heard.jobs.clear();
    const auto latest = berth.with_secrets(2);
    CHECK(berth.run(latest, answer({})).text.empty());
    berth.heard.jobs.clear();

    auto start = old;  // the row, and the list it was on
    start.job = 3;
    refused(start,
            "the secrets of tenant 5 are an old copy: they are at change 1, and change 2 "
            "has been seen here");
    start = latest;  // the row alone
    start.job = 4;
    start.secrets = old.secrets;
    refused(start, "the secret 'key' is not on the list of tenant 5");
    start.manifests[0].entries = old.manifests[0].entries;  // and what the list says of it
    start.job = 5;
    refused(start, "one was changed, taken away or put back past Berth");
    start = latest;
    start.job = 6;
    start.manifests.clear();
    refused(start, "the secret 'key' is not on the list of tenant 5");

    auto again = latest;  // the control
    again.job = 7;
    CHECK(berth.run(again, answer({})).text.empty());
}

TEST_CASE("what only passes through a job is on no list, and bound to its place all the same",
          "[jobs]") {
    JobStage berth;
    auto start = berth.with_secrets(1);
    start.passing = {berth.sealed_secret("CODE", "the-code-of-a-consent")};
    auto sandbox = berth.begin(start);
    CHECK(sandbox.plan_bytes.find(std::string{"TOKEN="} + kInput) != std::string::npos);
    CHECK(sandbox.plan_bytes.find("CODE=the-code-of-a-consent") != std::string::npos);
    berth.say(sandbox, 1, answer({{false, "echo", "the-code-of-a-consent"}}));
    berth.end(sandbox, 0);
    CHECK(berth.over().answer.at(0).value == "***");
    berth.heard.jobs.clear();

    start.job = 2;
    start.passing[0].where.version = 2;
    berth.berthd->send(start);
    CHECK_THAT(berth.over().text, Catch::Contains("cannot open the secret"));
}

TEST_CASE("a program that fails has no answer, whatever it said", "[jobs]") {
    JobStage berth;
    const auto& ended = berth.run(berth.with_secrets(4), answer({{false, "a", "b"}}),
                                  std::string{"oh no: "} + kInput, 3 << 8);
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.number == 3);
    CHECK(ended.answer.empty());
    CHECK(ended.log == "oh no: ***");
}

TEST_CASE("an answer has a size, and so has a log, of which no half of a secret is left",
          "[jobs]") {
    JobStage berth;
    auto& large =
        berth.run(job(5), answer({{false, "a", std::string(limits::kJobAnswerBytes, 'x')}}));
    CHECK(large.text == "its answer has more than 6 MiB");
    CHECK(large.answer.empty());
    berth.heard.jobs.clear();

    const std::string most(limits::kCallAnswerBytes, 'x');
    CHECK(berth.run(job(6), answer({{false, "a", most}})).answer.at(0).value == most);
    berth.heard.jobs.clear();

    std::string log;
    while (log.size() < 2 * limits::MiB)
        log += std::string{kInput} + " ";
    const auto& chatty = berth.run(berth.with_secrets(7), answer({}), log);
    CHECK(chatty.log.size() == limits::kJobLogBytes);
    CHECK(chatty.log.ends_with("\n(the log is cut here)\n"));
    CHECK(chatty.log.find("inpu7") == std::string::npos);
    CHECK(chatty.log.find("connection") == std::string::npos);
}

TEST_CASE("random answers never make the runner tell of a secret", "[jobs]") {
    auto random = test::seeded_random("answers of jobs");
    JobStage berth;
    std::uint64_t id = 100;
    for (int round = 0; round < 12; ++round) {
        std::string out = answer({{true, "access_token", kToken}, {false, "a", kToken}});
        for (auto changes = test::below(random, 3); changes > 0; --changes)
            out[out.size() - 1 - test::below(random, 16)] =
                static_cast<char>(test::below(random, 256));
        const auto& ended = berth.run(berth.with_secrets(++id), out, kInput);
        INFO("round " << round << ": " << ended.text);
        CHECK(text_of(ended).find(kToken) == std::string::npos);
        CHECK(text_of(ended).find(kInput) == std::string::npos);
        berth.heard.jobs.clear();
    }
}

TEST_CASE("what a job answered is told again until it is settled", "[jobs]") {
    JobStage berth;
    berth.run(job(8), answer({{false, "a", "b"}}));
    berth.berthd_comes_back();
    CHECK(berth.heard.live_runs.at(0).jobs == std::vector<std::uint64_t>{8});
    CHECK(berth.over().answer.at(0).value == "b");
    berth.berthd->send(ipc::JobSettled{8});
    berth.load_keys();  // answered after it
    berth.berthd_comes_back();
    CHECK(berth.heard.live_runs.at(0).jobs.empty());
    CHECK(berth.heard.jobs.empty());
}

TEST_CASE("a job goes on while berthd is away, and the next one hears of it", "[jobs]") {
    JobStage berth;
    auto sandbox = berth.begin(job(9));
    berth.berthd_comes_back();
    CHECK(berth.heard.live_runs.at(0).jobs == std::vector<std::uint64_t>{9});
    berth.say(sandbox, 1, answer({{false, "a", "b"}}));
    berth.end(sandbox, 0);
    CHECK(berth.over().answer.size() == 1);
}

TEST_CASE("a runner that is told to leave waits for its jobs and their settlement", "[jobs]") {
    JobStage berth;
    auto sandbox = berth.begin(job(10));
    bool left = false;
    berth.runner->leave([&] { left = true; });
    berth.berthd->send(job(11));
    CHECK(berth.over().text == "berth-runner is just ending; it is started again by itself");
    berth.berthd->send(ipc::JobSettled{11});
    berth.heard.jobs.clear();
    berth.say(sandbox, 1, answer({{false, "a", "b"}}));
    berth.end(sandbox, 0);
    CHECK(berth.over().job == 10);
    CHECK_FALSE(left);
    berth.berthd->send(ipc::JobSettled{10});
    run_until(berth.loop, [&] { return left; });
}

TEST_CASE("a runner that is told to leave without a berthd does not wait for settlement",
          "[jobs]") {
    JobStage berth;
    auto sandbox = berth.begin(job(12));
    bool left = false;
    berth.runner->leave([&] { left = true; });
    berth.berthd.reset();
    run_until(berth.loop, [&] { return left; });
}

TEST_CASE("nothing of a job is given to the service manager", "[jobs]") {
    JobStage berth;
    auto sandbox = berth.begin(job(13));
    berth.say(sandbox, 1, "plain");
    CHECK(berth.kept().empty());
    berth.runner_comes_back();
    CHECK(berth.heard.live_runs.at(0).jobs.empty());  // so berthd knows that it is lost
}

TEST_CASE("a program of a real sandbox answers", "[jobs][sandbox]") {
    BERTH_NEEDS_SANDBOX();
    RealPrograms berth;
    write_file_atomically(berth.release() / "berth-oauth",
                          "#!/bin/sh\nset -e\n"
                          "printf 'secret token %d\\n%s\\n' ${#OLD} \"$OLD\"\n"
                          "body=$(cat /work/request.json)\n"
                          "printf 'plain body %d\\n%s\\n' ${#body} \"$body\"\n"
                          "echo \"log $OLD\" >&2\necho end\n",
                          0755);
    auto start = job(1);
    start.secrets = {berth.sealed_secret("OLD", kInput)};
    start.manifests = {berth.list_of(start.secrets)};
    start.files = {{"request.json", std::string{"has "} + kInput}};
    start.seal = {{"token", start.secrets[0].where, start.secrets[0].data_key}};
    berth.berthd->send(start);
    run_until(berth.loop, [&] { return !berth.heard.jobs.empty(); });
    const auto& ended = berth.heard.jobs.at(0);
    INFO(ended.text << ended.log);
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.number == 0);
    CHECK(ended.sealed.size() == 1);
    REQUIRE(ended.answer.size() == 1);
    CHECK(ended.answer[0].value == "has ***");
    CHECK(ended.log == "log ***\n");
    berth.wait_for_no_sandbox_processes();
}
