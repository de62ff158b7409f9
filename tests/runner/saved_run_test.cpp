// What a run leaves in its memfd: read back as it was written, also by a process that
// finds it in the middle of a step, and in the form of earlier releases.
#include "sandbox/runner/saved_run.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/error.h"
#include "base/pipe.h"
#include "base/text.h"
#include "sandbox/runner/left_run.h"
#include "tests/support/seed.h"

using namespace berth;
using namespace berth::runner;
using namespace std::chrono_literals;

namespace {

RunFacts facts_of(std::int64_t run) {
    RunFacts facts;
    facts.started = {run, 2, 1'700'000'000'000'000, 7, true};
    facts.wall_time_s = 600;
    facts.limits = "limits";
    facts.egress_names = {"a.example", "*.b.example"};
    facts.secrets.push_back({{"PAN_SEC_A", "PAN_SEC_B"},
                             {{ipc::ScopeKind::tenant, 5}, 3, "key", 1},
                             {9, "wrapped"},
                             "envelope"});
    facts.status = {1, 2};
    facts.out = {3, 4};
    facts.err = {5, 6};
    facts.cgroup = {7, 8};
    facts.slot = 9;
    facts.serial = 10;
    return facts;
}

RunProgress progress_at(std::uint64_t next_seq) {
    RunProgress progress;
    progress.next_seq = next_seq;
    progress.restarts = 1;
    progress.deadline_us = 12'345'678;
    progress.decided = true;
    progress.kind = static_cast<std::uint32_t>(ipc::EndKind::timed_out);
    progress.number = 600;
    progress.text = "why";
    progress.report = "report";
    progress.output.printed = 100;
    progress.output.kept = 90;
    progress.output.last_line.last = "last";
    progress.output.last_line.text = "begun";
    progress.output.out = {"top-sec", 3, true};
    progress.output.err = {"ret", 0, false};
    return progress;
}

ipc::Output output(std::uint64_t seq, std::string bytes = "line\n") {
    return {1, 2, seq, 17, ipc::StreamKind::out, std::move(bytes)};
}

ipc::Connection connection(std::uint64_t number) {
    ipc::Connection made;
    made.run_id = 1;
    made.attempt = 2;
    made.number = number;
    made.name = "a.example";
    return made;
}

Fd copy(const SavedRun& saved) { return Fd{::fcntl(saved.fd(), F_DUPFD_CLOEXEC, 0)}; }

// The same state by the same codec, so that one comparison says all.
template <typename T>
std::string as_hex(const T& value) {
    return to_hex(ipc::encode(value));
}

}  // namespace

TEST_CASE("what is saved of a run is read back", "[runner]") {
    SavedRun saved{facts_of(1), progress_at(1)};
    saved.say(output(1));
    saved.say(connection(1));
    saved.say(output(2, std::string(100'000, 'x')));
    saved.commit(progress_at(3));
    const auto read = SavedRun::read(copy(saved));
    REQUIRE(read);
    CHECK(as_hex(read->facts) == as_hex(facts_of(1)));
    CHECK(as_hex(read->progress) == as_hex(progress_at(3)));
    CHECK(read->connections == 1);
    REQUIRE(read->outputs.size() == 2);
    CHECK(as_hex(read->outputs[1]) == as_hex(output(2, std::string(100'000, 'x'))));
    REQUIRE(read->unconfirmed.size() == 1);
    CHECK_FALSE(read->ended);
}

TEST_CASE("what was said and not committed is not there", "[runner]") {
    SavedRun saved{facts_of(1), progress_at(1)};
    saved.say(output(1));
    const auto read = SavedRun::read(copy(saved));
    REQUIRE(read);
    CHECK(read->outputs.empty());
    CHECK(read->progress.next_seq == 1);
}

TEST_CASE("what berthd has confirmed is given up, the numbers go on", "[runner]") {
    SavedRun saved{facts_of(1), progress_at(1)};
    for (std::uint64_t seq = 1; seq <= 50; ++seq) {
        saved.say(output(seq, std::string(10'000, 'x')));
        saved.say(connection(seq));
        saved.commit(progress_at(seq + 1));
    }
    CHECK(saved.said_bytes() > 500'000);
    saved.keep_only([](auto say) {
        say(ipc::Started{});  // as the outbox does
        say(output(50));
    });
    CHECK(saved.said_bytes() < 200);
    const auto read = SavedRun::read(copy(saved));
    REQUIRE(read);
    REQUIRE(read->outputs.size() == 1);
    CHECK(read->outputs[0].seq == 50);
    CHECK(read->unconfirmed.empty());
    CHECK(read->connections == 50);
    CHECK(read->progress.next_seq == 51);
}

TEST_CASE("a later process goes on writing where an earlier one has stopped", "[runner]") {
    SavedRun first{facts_of(1), progress_at(1)};
    first.say(output(1));
    first.commit(progress_at(2));
    auto second = SavedRun::read(copy(first));
    REQUIRE(second);
    second->saved.say(output(2));
    second->saved.commit(progress_at(3));
    ipc::Ended ended;
    ended.run_id = 1;
    second->saved.say(ended);
    second->saved.commit();
    const auto third = SavedRun::read(copy(second->saved));
    REQUIRE(third);
    CHECK(third->outputs.size() == 2);
    CHECK(third->progress.next_seq == 3);
    CHECK(third->ended);
}

TEST_CASE("a process killed at any point leaves the state before or after a step", "[runner]") {
    auto random = test::seeded_random("killed while saving");
    for (int round = 0; round < 60; ++round) {
        SavedRun saved{facts_of(1), progress_at(1)};
        const Pipe begun = make_pipe();
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            for (std::uint64_t seq = 1;; ++seq) {
                saved.say(output(seq, fmt::format("line {}\n", seq)));
                saved.commit(progress_at(seq + 1));
                if (seq % 7 == 0) saved.keep_only([&](auto say) { say(output(seq)); });
                if (seq == 3) (void)!::write(begun.write.get(), "x", 1);
            }
        }
        char byte = 0;
        REQUIRE(::read(begun.read.get(), &byte, 1) == 1);
        // The moment is what is random here.
        std::this_thread::sleep_for(std::chrono::microseconds{test::below(random, 2000)});
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        const auto read = SavedRun::read(copy(saved));
        REQUIRE(read);
        // All up to the progress, in order, with nothing beyond it.
        REQUIRE_FALSE(read->outputs.empty());
        CHECK(read->outputs.back().seq + 1 == read->progress.next_seq);
        for (std::size_t i = 1; i < read->outputs.size(); ++i)
            CHECK(read->outputs[i].seq == read->outputs[i - 1].seq + 1);
    }
}

TEST_CASE("what is no saved run, or one of a format to come, is not read", "[runner]") {
    CHECK_FALSE(SavedRun::read(Fd{::memfd_create("empty", MFD_CLOEXEC)}));
    SavedRun saved{facts_of(1), progress_at(1)};
    REQUIRE(SavedRun::read(copy(saved)));
    const std::uint32_t later = 1'000;
    REQUIRE(::pwrite(saved.fd(), &later, sizeof later, 8) == sizeof later);
    CHECK_FALSE(SavedRun::read(copy(saved)));
}

TEST_CASE("no damage to a saved run makes its reader stumble", "[runner]") {
    auto random = test::seeded_random("damaged");
    for (int round = 0; round < 300; ++round) {
        SavedRun saved{facts_of(1), progress_at(1)};
        saved.say(output(1));
        saved.commit(progress_at(2));
        // The head, the facts, the second slot and the first area.
        const off_t places[] = {0, 4096, (256 + 16) * 1024 * 1024, 512 * 1024 * 1024};
        for (int i = 0; i < 3; ++i) {
            const off_t at =
                places[test::below(random, 4)] + static_cast<off_t>(test::below(random, 64));
            const auto byte = static_cast<unsigned char>(test::below(random, 256));
            REQUIRE(::pwrite(saved.fd(), &byte, 1, at) == 1);
        }
        (void)SavedRun::read(copy(saved));  // whatever it says
    }
}

// Bytes as format 1 wrote them, and where: a line of the file is a place and hex. Never to be
// changed: whoever upgrades has runs like this one. A new format gets a case of its own.
TEST_CASE("a run that was saved in format 1 is read", "[runner]") {
    const Fd memfd{::memfd_create("format-1", MFD_CLOEXEC)};
    REQUIRE(::ftruncate(memfd.get(), 1 << 30) == 0);  // zeros at an end are not in the file
    std::ifstream golden{BERTH_SOURCE_DIR "/tests/runner/golden/saved_run_1.txt"};
    off_t at = 0;
    for (std::string hex; golden >> at >> hex;) {
        const auto bytes = from_hex(hex).value();
        REQUIRE(::pwrite(memfd.get(), bytes.data(), bytes.size(), at) ==
                static_cast<ssize_t>(bytes.size()));
    }
    auto read = SavedRun::read(Fd{::fcntl(memfd.get(), F_DUPFD_CLOEXEC, 0)});
    REQUIRE(read);
    CHECK(read->facts.started.run_id == 1);
    CHECK(read->facts.started.attempt == 2);
    CHECK(read->facts.wall_time_s == 600);
    CHECK(read->facts.egress_names == std::vector<std::string>{"a.example", "*.b.example"});
    CHECK(read->facts.secrets.at(0).envelope == "envelope");
    CHECK(read->facts.cgroup == FileId{7, 8});
    CHECK(read->facts.serial == 10);
    CHECK(read->progress.next_seq == 3);
    CHECK(read->progress.deadline_us == 12'345'678);
    CHECK(read->progress.text == "why");
    CHECK(read->progress.output.last_line.text == "begun");
    CHECK(read->progress.output.out.bytes == "top-sec");
    CHECK(read->progress.output.out.covered == 3);
    CHECK(read->outputs.at(1).bytes == "line\n");
    CHECK(read->connections == 1);
    CHECK(read->ended.value().std_out == "state");
}

// Prints such a file: to be run by name when kFormat has grown, into a new one.
TEST_CASE("the bytes of a saved run, for the case above", "[.golden]") {
    SavedRun saved{facts_of(1), progress_at(1)};
    saved.say(output(1));
    saved.say(connection(1));
    saved.say(output(2));
    ipc::Ended ended;
    ended.run_id = 1;
    ended.attempt = 2;
    ended.std_out = "state";
    saved.say(ended);
    saved.commit(progress_at(3));
    off_t at = 0;
    while ((at = ::lseek(saved.fd(), at, SEEK_DATA)) >= 0) {
        std::string page(4096, '\0');
        REQUIRE(::pread(saved.fd(), page.data(), page.size(), at) > 0);
        page.resize(page.find_last_not_of('\0') + 1);
        std::cout << at << ' ' << to_hex(page) << '\n';
        at += 4096;
    }
}

TEST_CASE("a run's name in the store is read back, and nothing else is taken for one", "[runner]") {
    const RunKey run{9'223'372'036'854'775'807, 3};
    CHECK(stored_name(run) == "run-9223372036854775807-3");
    CHECK(parse_stored_name(stored_name(run)) == run);
    for (const char* name : {"", "run-", "run-1", "run-1-", "run--1", "run-1-2-3", "listen",
                             "run-1-x", "run-99999999999999999999-1", "xrun-1-1"}) {
        INFO(name);
        CHECK_FALSE(parse_stored_name(name));
    }
}

TEST_CASE("the descriptors of a run are told apart in whatever order they come", "[runner]") {
    auto random = test::seeded_random("order");
    const auto status = make_seqpacket_pair();
    const auto listening = make_seqpacket_pair();
    const Pipe out = make_pipe();
    const Pipe err = make_pipe();
    const Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
    const Fd cgroup{::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    RunFacts facts = facts_of(1);
    facts.status = file_id(status.a.get());
    facts.out = file_id(out.read.get());
    facts.err = file_id(err.read.get());
    facts.cgroup = file_id(cgroup.get());
    const SavedRun saved{facts, progress_at(1)};
    for (int round = 0; round < 50; ++round) {
        std::vector<int> given{saved.fd(),     status.a.get(), pidfd.get(),      out.read.get(),
                               err.read.get(), cgroup.get(),   listening.a.get()};
        std::shuffle(given.begin(), given.end(), random);
        std::vector<Fd> fds;
        for (const int fd : given)
            fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        const auto left = sort_left_run({1, 2}, std::move(fds));
        REQUIRE(left);
        CHECK(file_id(left->status.get()) == facts.status);
        CHECK(file_id(left->out.get()) == facts.out);
        CHECK(file_id(left->err.get()) == facts.err);
        CHECK(file_id(left->cgroup.get()) == facts.cgroup);
        CHECK(file_id(left->pidfd.get()) == file_id(pidfd.get()));
        REQUIRE(left->listeners.size() == 1);
        CHECK(file_id(left->listeners[0].get()) == file_id(listening.a.get()));
    }
}

TEST_CASE("descriptors under another run's name are not taken", "[runner]") {
    const SavedRun saved{facts_of(1), progress_at(1)};
    std::vector<Fd> fds;
    fds.push_back(copy(saved));
    CHECK_FALSE(sort_left_run({1, 3}, std::move(fds)));
}
