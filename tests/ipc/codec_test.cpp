// The messages of the daemons' socket: each comes back as it was, and no damaged
// one is taken for whole.
#include "sandbox/ipc/codec.h"

#include <catch2/catch.hpp>

#include "sandbox/ipc/messages.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::ipc;

namespace {

const Scope kScope{ScopeKind::integration, 7};
const WrappedKey kKey{42, std::string{"envelope\0bytes", 14}};
const FieldRef kField{kScope, 3, "api_key", 5};

Seal a_seal() {
    Seal seal;
    seal.request = 9;
    seal.data_key = kKey;
    seal.where = kField;
    seal.plaintext = Secret{"hunter22"};
    return seal;
}

Start a_start() {
    Start start;
    start.run_id = 1;
    start.attempt = 2;
    start.argv = {"node", "", "index.js"};
    start.env = {"A=1", "B="};
    start.secrets = {{{"PAN_SEC_A", "PAN_SEC_B"}, kField, kKey, "sealed"}, {}};
    start.working_folder = "sub";
    start.files = {{"trigger.json", std::string(70'000, 'x')}};
    start.runtime = "host";
    start.release = "abc";
    start.network = 1;
    start.grants = 1;
    start.memory_bytes = 1ULL << 40;
    start.wall_time_s = -1;
    return start;
}

StartJob a_job() {
    StartJob start;
    start.job = 1;
    start.program = "berth-call";
    start.release = "abc";
    start.env = {"A=1"};
    start.secrets = {{{"TOKEN"}, kField, kKey, "sealed"}};
    start.passing = {{{"CODE"}, kField, kKey, "sealed"}};
    start.files = {{"request.json", "{}"}};
    start.manifests = {{kField.scope, kKey, 7, {{3, "key", 1, "tag"}}, "mac"}};
    start.seal = {{"access_token", kField, kKey}};
    start.egress_names = {"*.example.com"};
    start.wall_time_s = 30;
    return start;
}

// Comes back the same, and no shorter or longer text is read as one.
template <typename Message>
void survives(const Message& message) {
    const std::string bytes = encode(message);
    INFO("message type " << static_cast<int>(Message::kType));
    const auto back = decode<Message>(bytes);
    REQUIRE(back);
    CHECK(encode(*back) == bytes);
    const std::size_t step = bytes.size() > 2000 ? 997 : 1;
    for (std::size_t size = 0; size < bytes.size(); size += step)
        if (decode<Message>(bytes.substr(0, size))) FAIL("read after " << size << " bytes");
    CHECK_FALSE(decode<Message>(bytes + '\0'));
}

}  // namespace

TEST_CASE("every message comes back whole, and cut short not at all", "[ipc]") {
    survives(RunnerHello{1, "rootroot", "why", true, true, 3, 4, 5, 6, true, {"previous"}});
    survives(LoadKeys{std::string(16, 'i'), {kKey, {}}});
    survives(KeysLoaded{true, "why", {kKey}});
    survives(NewDataKey{1, kScope, 2});
    survives(DataKey{1, "why", kKey, 2});
    survives(a_seal());
    survives(Sealed{1, "why", "envelope"});
    survives(a_start());
    survives(Started{1, 2, -3, 4, true});
    survives(Output{1, 2, 3, 4, StreamKind::note, std::string{"\0\xff", 2}});
    survives(Ended{1,
                   2,
                   3,
                   EndKind::lost,
                   -5,
                   "why",
                   "{}",
                   6,
                   7,
                   8,
                   9,
                   10,
                   11,
                   12,
                   {"ptrace", "mount"},
                   true});
    survives(Connection{1, 2, 1, 3, "example.com", "192.0.2.1", 443, 4, 5, "why"});
    survives(Pool{1, 2, 3, 4, 5, 6, 7, 8});
    survives(Cancel{1, 2});
    survives(LiveRuns{{{1, 2}, {3, 4}}});
    survives(Adopt{{{1, 2}}});
    survives(Stored{{1, 2}, 3, 4});
    survives(Settled{{1, 2}});
    survives(a_job());
    survives(JobEnded{1,
                      EndKind::exited,
                      2,
                      "why",
                      {{"name", "value"}},
                      {{"token", "envelope"}},
                      "log",
                      {{1, 2, 1, 3, "example.com", "192.0.2.1", 443, 4, 5, "why"}},
                      6,
                      7});
    survives(JobSettled{1});
    survives(CheckMac{1,
                      {{{}, kField, kKey, "sealed"}},
                      MacKind::hmac_sha1,
                      MacKeyForm::base64,
                      "whsec_",
                      "message",
                      {"mac", "another"},
                      {{kField.scope, kKey, 7, {{3, "key", 1, "tag"}}, "mac"}}});
    survives(MacChecked{1, true, "why"});
    survives(RunnerHello{});
    survives(Start{});
}

TEST_CASE("fields keep their values and their order", "[ipc]") {
    const auto seal = decode<Seal>(encode(a_seal()));
    REQUIRE(seal);
    CHECK(seal->request == 9);
    CHECK(seal->data_key.envelope == kKey.envelope);
    CHECK(seal->where.scope.kind == ScopeKind::integration);
    CHECK(seal->where.field == "api_key");
    CHECK(seal->plaintext.reveal() == "hunter22");
    const auto start = decode<Start>(encode(a_start()));
    REQUIRE(start);
    CHECK(start->argv == std::vector<std::string>{"node", "", "index.js"});
    CHECK(start->secrets[0].names[1] == "PAN_SEC_B");
    CHECK(start->files[0].content.size() == 70'000);
    CHECK(start->wall_time_s == -1);
    CHECK(encode(Cancel{1, 2}) == std::string{"\1\0\0\0\0\0\0\0\2\0\0\0", 12});
}

TEST_CASE("a hostile length is refused before it is believed", "[ipc]") {
    const std::string huge(4, '\xff');
    // 4 GiB of text, and 4 G strings, in messages of a few bytes.
    CHECK_FALSE(decode<Sealed>(std::string(8, '\0') + huge + "x"));
    CHECK_FALSE(decode<LoadKeys>(std::string(4, '\0') + huge));
    CHECK_FALSE(decode<LoadKeys>(std::string(4, '\0') + huge + std::string(100, '\0')));
    CHECK_FALSE(decode<Start>(std::string(12, '\0') + huge + std::string(10'000, '\0')));
}

TEST_CASE("a bool is 0 or 1", "[ipc]") {
    std::string bytes = encode(KeysLoaded{true, "", {}});
    REQUIRE(bytes[0] == 1);
    bytes[0] = 2;
    CHECK_FALSE(decode<KeysLoaded>(bytes));
}

TEST_CASE("random bytes never do harm to a reader", "[ipc]") {
    auto random = test::seeded_random("random messages");
    const std::string good = encode(a_seal());
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes = good;
        for (std::size_t n = 1 + test::below(random, 6); n > 0; --n)
            bytes[test::below(random, bytes.size())] = static_cast<char>(random());
        if (const auto seal = decode<Seal>(bytes)) REQUIRE(encode(*seal).size() == bytes.size());
        (void)decode<Start>(bytes);
        (void)decode<LoadKeys>(bytes);
    }
}
