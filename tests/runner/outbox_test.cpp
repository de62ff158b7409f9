// The Outbox by itself.
#include "sandbox/runner/outbox.h"

#include <catch2/catch.hpp>

using namespace berth;
using runner::Outbox;

namespace {

ipc::Output output(std::int64_t run, std::uint64_t seq, std::string bytes) {
    return {run, 1, seq, 0, ipc::StreamKind::out, std::move(bytes)};
}

ipc::Connection connection(std::int64_t run, std::uint64_t number) {
    ipc::Connection said;
    said.run_id = run;
    said.number = number;
    return said;
}

// All that is said again, in words.
std::vector<std::string> repeated(const Outbox& outbox) {
    std::vector<std::string> words;
    struct {
        std::vector<std::string>& words;
        void operator()(const ipc::Started& m) {
            words.push_back("started " + std::to_string(m.run_id));
        }
        void operator()(const ipc::Output& m) { words.push_back(m.bytes); }
        void operator()(const ipc::Connection& m) {
            words.push_back("connection " + std::to_string(m.number));
        }
        void operator()(const ipc::Ended& m) {
            words.push_back("ended " + std::to_string(m.run_id));
        }
    } say{words};
    outbox.repeat(say);
    return words;
}

}  // namespace

TEST_CASE("what a run said is repeated in order, its end last", "[outbox]") {
    Outbox outbox;
    outbox.open({1, 1});
    outbox.open({2, 1});
    ipc::Started started;
    started.run_id = 1;
    ipc::Ended ended;
    ended.run_id = 1;
    CHECK(outbox.add(started));
    CHECK(outbox.add(output(1, 1, "a")));
    CHECK(outbox.add(output(2, 1, "other")));
    CHECK(outbox.add(connection(1, 1)));
    CHECK(outbox.add(output(1, 2, "b")));
    CHECK(outbox.add(ended));
    const std::vector<std::string> all{"started 1", "a", "b", "connection 1", "ended 1", "other"};
    CHECK(repeated(outbox) == all);
    CHECK(repeated(outbox) == all);  // nothing is used up
}

TEST_CASE("what is stored is forgotten, a run that is closed wholly", "[outbox]") {
    Outbox outbox;
    outbox.open({1, 1});
    outbox.add(output(1, 1, "abc"));
    outbox.add(output(1, 2, "de"));
    outbox.add(connection(1, 1));
    outbox.add(connection(1, 2));
    CHECK(outbox.bytes() == 5);
    outbox.stored({{1, 1}, 1, 1});
    CHECK(outbox.bytes() == 2);
    CHECK(repeated(outbox) == std::vector<std::string>{"de", "connection 2"});
    outbox.stored({{1, 1}, 1, 1});  // late, and said twice
    CHECK(outbox.bytes() == 2);
    outbox.close({1, 1});
    CHECK(outbox.bytes() == 0);
    CHECK(outbox.runs().empty());
}

TEST_CASE("a run that is not open, or another attempt of one, is not heard", "[outbox]") {
    Outbox outbox;
    outbox.open({1, 2});
    CHECK_FALSE(outbox.add(output(1, 1, "attempt 1")));
    outbox.add(ipc::Output{1, 2, 1, 0, ipc::StreamKind::out, "attempt 2"});
    outbox.stored({{1, 1}, 9, 9});
    outbox.close({1, 1});
    CHECK(repeated(outbox) == std::vector<std::string>{"attempt 2"});
    outbox.close({1, 2});
    CHECK_FALSE(outbox.add(ipc::Output{1, 2, 2, 0, ipc::StreamKind::out, "late"}));
    CHECK(outbox.bytes() == 0);
}
