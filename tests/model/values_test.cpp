// Ids, words and the life of a run: small rules that everything else leans on.
#include "model/values.h"

#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <unordered_set>

#include "model/ids.h"
#include "model/run_state.h"

using namespace berth;

namespace {

const std::vector<RunState> kStates{
    RunState::queued,          RunState::preparing,      RunState::starting,
    RunState::running,         RunState::succeeded,      RunState::failed_integration,
    RunState::failed_refresh,  RunState::failed_timeout, RunState::failed_metadata,
    RunState::failed_platform, RunState::cancelled,
};

// Every enumerator's word leads back to it, and no other word does.
template <typename Enum, typename Parse>
void words_round_trip(const std::vector<Enum>& all, Parse parse) {
    std::set<std::string> words;
    for (const Enum value : all) {
        const std::string word{to_string(value)};
        CHECK(words.insert(word).second);
        CHECK(parse(word) == value);
        CHECK_FALSE(parse(word + " "));
        CHECK_FALSE(parse(word.substr(1)));
    }
    CHECK_FALSE(parse(""));
    CHECK_FALSE(parse("QUEUED"));
}

}  // namespace

TEST_CASE("a run moves along its table and nowhere else", "[model]") {
    using enum RunState;
    const std::map<RunState, std::set<RunState>> allowed{
        {queued, {preparing, cancelled}},
        {preparing, {starting, queued, failed_refresh, failed_platform, cancelled}},
        {starting, {running, queued, failed_integration, failed_platform, cancelled}},
        {running,
         {succeeded, queued, failed_integration, failed_timeout, failed_metadata, failed_platform,
          cancelled}},
    };
    for (const RunState from : kStates) {
        const auto row = allowed.find(from);
        for (const RunState to : kStates) {
            INFO(to_string(from) << " to " << to_string(to));
            CHECK(may_become(from, to) == (row != allowed.end() && row->second.contains(to)));
        }
        CHECK(is_final(from) == (row == allowed.end()));
    }
}

TEST_CASE("every word leads back to its value", "[model]") {
    words_round_trip(kStates, parse_run_state);
    words_round_trip<RunMode>({RunMode::init, RunMode::normal, RunMode::webhook}, parse_run_mode);
    words_round_trip<TriggerSource>(
        {TriggerSource::api, TriggerSource::cron, TriggerSource::manual, TriggerSource::webhook},
        parse_trigger_source);
    words_round_trip<NetworkMode>({NetworkMode::none, NetworkMode::egress, NetworkMode::host},
                                  parse_network_mode);
    words_round_trip<OnLost>({OnLost::fail, OnLost::retry}, parse_on_lost);
    words_round_trip<Channel>({Channel::Latest, Channel::Default}, parse_channel);
    words_round_trip<ConnectionStatus>(
        {ConnectionStatus::connected, ConnectionStatus::disconnected, ConnectionStatus::pending,
         ConnectionStatus::failed_refresh},
        parse_connection_status);
    words_round_trip<OutputStream>({OutputStream::out, OutputStream::err, OutputStream::note},
                                   parse_output_stream);
}

TEST_CASE("phases have the contract's texts", "[model]") {
    using enum RunState;
    const std::map<RunState, std::string> texts{
        {queued, "Pending"},
        {preparing, "Pending"},
        {starting, "Running"},
        {running, "Running"},
        {succeeded, "Succeeded"},
        {failed_integration, "Failed (Integration Issue)"},
        {failed_refresh, "Failed (Refresh)"},
        {failed_timeout, "Failed (Timeout)"},
        {failed_metadata, "Failed (Metadata Validation)"},
        {failed_platform, "Failed (Platform Issue)"},
        {cancelled, "Cancelled"},
    };
    REQUIRE(texts.size() == kStates.size());
    for (const auto& [state, text] : texts)
        CHECK(phase_text(state) == text);
}

TEST_CASE("an outcome decides the final state and can be told", "[model]") {
    struct Row {
        Outcome outcome;
        RunState state;
        std::string told;
    };
    const std::vector<Row> rows{
        {Exited{0}, RunState::succeeded, "exited with code 0"},
        {Exited{3}, RunState::failed_integration, "exited with code 3"},
        {Signalled{11}, RunState::failed_integration, "ended by signal 11 (SIGSEGV)"},
        {TimedOut{std::chrono::seconds{600}}, RunState::failed_timeout,
         "stopped after its limit of 600 s"},
        {OutOfMemory{64 << 20}, RunState::failed_integration, "killed: out of memory at 64 MiB"},
        {Cancelled{}, RunState::cancelled, "cancelled"},
        {SetupFailed{"making the root", 28}, RunState::failed_platform,
         "could not be set up: making the root: No space left on device"},
        {Lost{"the runner ended"}, RunState::failed_platform, "lost: the runner ended"},
    };
    for (const Row& row : rows) {
        INFO(row.told);
        CHECK(end_state(row.outcome) == row.state);
        CHECK(is_final(end_state(row.outcome)));
        CHECK(may_become(RunState::running, end_state(row.outcome)));
        CHECK(describe(row.outcome) == row.told);
    }
    CHECK(end_state(StateTooLarge{100'000}) == RunState::failed_integration);
    CHECK_THAT(describe(StateTooLarge{100'000}), Catch::Contains("100000 bytes"));
    CHECK(end_state(MetadataInvalid{"'a' is missing"}) == RunState::failed_metadata);
    CHECK_THAT(describe(MetadataInvalid{"'a' is missing"}), Catch::Contains("'a' is missing"));
}

TEST_CASE("an id is a positive decimal and nothing else", "[model]") {
    CHECK(TenantId::parse("1") == TenantId{1});
    CHECK(TenantId::parse("9223372036854775807") == TenantId{9223372036854775807});
    CHECK(TenantId::parse("42")->str() == "42");
    for (const char* junk : {"", "0", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "١",
                             "9223372036854775808", "1\n", "one", "1;drop"}) {
        INFO(junk);
        CHECK_FALSE(TenantId::parse(junk));
    }
    CHECK_FALSE(TenantId{});
    CHECK(std::unordered_set<RunId>{RunId{1}, RunId{1}, RunId{2}}.size() == 2);
}

TEST_CASE("a trigger id is 32 lower-case hex digits", "[model]") {
    const TriggerId made = TriggerId::make();
    CHECK(TriggerId::parse(made.str()) == made);
    CHECK(made != TriggerId::make());
    const std::string good(32, 'a');
    CHECK(TriggerId::parse(good));
    for (const std::string& junk :
         {std::string{}, std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'),
          std::string(32, 'g'), std::string(31, 'a') + " ", std::string(32, '\0')}) {
        INFO(junk);
        CHECK_FALSE(TriggerId::parse(junk));
    }
}
