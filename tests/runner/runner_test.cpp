// The Runner and its runs, event by event.
#include "sandbox/runner/runner.h"

#include <sys/stat.h>

#include "tests/runner/played_script.h"

using namespace berth;
using ipc::EndKind;
using ipc::StreamKind;

TEST_CASE("the hello waits for the launcher's and tells what it found", "[runner]") {
    Stage stage;
    CHECK(stage.heard.hellos.empty());
    stage.launcher_says_hello();
    REQUIRE(stage.heard.hellos.size() == 1);
    const auto& hello = stage.heard.hellos[0];
    CHECK(hello.root_key_id.size() == 8);
    CHECK(hello.why.empty());
    CHECK(hello.slots == 8);
    CHECK(hello.first_uid == 70'000);
    CHECK(hello.protections == ipc::protection_seccomp);
}

TEST_CASE("without a root key the runner stays up and says why to every request", "[runner]") {
    Stage stage{Stage::RootKey::missing};
    stage.launcher_says_hello();
    const std::string why = stage.heard.hellos.back().why;
    CHECK(why.find("root.key") != std::string::npos);
    CHECK(stage.heard.hellos.back().root_key_id.empty());

    stage.berthd->send(ipc::LoadKeys{});
    stage.berthd->send(ipc::Seal{});
    stage.berthd->send(ipc::NewDataKey{});
    stage.berthd->send(stage.start(1));
    const auto& ended = stage.ended(1);
    CHECK(ended.kind == EndKind::setup_failed);
    CHECK(ended.text == why);
    CHECK_FALSE(stage.heard.loaded.at(0).ok);
    CHECK(stage.heard.loaded[0].why == why);
    CHECK(stage.heard.sealed.at(0).why == why);
    CHECK(stage.heard.data_keys.at(0).why == why);
}

TEST_CASE("a run goes from its plan to its report, output before its end", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.load_keys();
    auto start = stage.start(1);
    start.secrets = {stage.sealed_secret("PAN_SEC_A", "top-secret-value")};
    start.manifests = {stage.list_of(start.secrets)};
    auto sandbox = stage.run(start);
    CHECK(stage.heard.started.at(0).protections == ipc::protection_seccomp);

    CHECK(sandbox.plan_bytes.find(std::string{"PAN_SEC_A=top-secret-value\0", 27}) !=
          std::string::npos);
    char byte = 0;
    CHECK(::read(sandbox.plan_packet.descriptors[0].get(), &byte, 1) == 0);  // stdin is at its end

    print(sandbox, StreamKind::out, "first\nstate top-secret-value\n");
    print(sandbox, StreamKind::err, "log top-secret-");
    stage.end(sandbox, exited(0));
    const auto& ended = stage.ended(1);
    CHECK(ended.kind == EndKind::exited);
    CHECK(ended.number == 0);
    CHECK(ended.std_out == "state ***");
    CHECK(ended.user_us == 11);
    CHECK(ended.system_us == 22);
    CHECK(ended.max_rss_bytes == 33);
    CHECK(ended.log_bytes == 44);
    CHECK(stage.heard.printed(1, StreamKind::out) == "first\nstate ***\n");
    CHECK(stage.heard.printed(1, StreamKind::err) == "log top-secret-");
    for (std::size_t i = 0; i < stage.heard.outputs.size(); ++i)
        CHECK(stage.heard.outputs[i].seq == i + 1);
}

TEST_CASE("a script may open its streams anew, though the pipes are ours", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto sandbox = stage.run(stage.start(1));
    for (std::size_t i = 0; i < 3; ++i) {
        struct stat facts {};
        REQUIRE(::fstat(sandbox.plan_packet.descriptors[i].get(), &facts) == 0);
        CHECK((facts.st_mode & 0777) == 0666);
    }
}

TEST_CASE("a start that cannot work ends at once and says which field", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    auto start = stage.start(1);
    start.argv = {};
    stage.berthd->send(start);
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.ended(1).text == "'argv' is empty: there is nothing to execute");
    start = stage.start(2);
    start.release = "../../etc";
    stage.berthd->send(start);
    CHECK(stage.ended(2).text == "'release' is not a short name of one path component");
}

TEST_CASE("an envelope that belongs elsewhere is not opened", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.load_keys();
    auto start = stage.start(1);
    start.secrets = {stage.sealed_secret("PAN_SEC_A", "top-secret-value")};
    start.secrets[0].where.connector_id = 4;
    start.manifests = {stage.list_of(start.secrets)};
    stage.berthd->send(start);
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.ended(1).text.starts_with("cannot open the secret 'key': "));
    CHECK(stage.ended(1).text.find("top-secret") == std::string::npos);
}

TEST_CASE("the step that failed ends the run, in the launcher and in the sandbox", "[runner]") {
    Stage stage;
    stage.launcher_says_hello();
    stage.berthd->send(stage.start(1));
    stage.reply_failed(stage.next_request(), ipc::Step::slot, EAGAIN);
    CHECK(stage.ended(1).kind == EndKind::setup_failed);
    CHECK(stage.ended(1).number == EAGAIN);
    CHECK(stage.ended(1).text == "taking a uid pair (all are in use)");

    stage.berthd->send(stage.start(2));
    auto sandbox = stage.reply_built(stage.next_request());
    stage.take_plan(sandbox);
    ipc::PlanFailed failed;
    failed.step = ipc::Step::exec;
    failed.err = ENOENT;
    REQUIRE(runner::send_record(sandbox.plan.get(), failed) == 0);
    CHECK(stage.receive(sandbox.status.get()).state == Packet::State::closed);
    sandbox.plan_packet.descriptors.clear();
    sandbox.die();
    CHECK(stage.ended(2).kind == EndKind::setup_failed);
    CHECK(stage.ended(2).number == ENOENT);
    CHECK(stage.ended(2).text == "executing the program");
    CHECK(stage.heard.started.empty());
}
