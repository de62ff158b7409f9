// Frames and the channel over a real socket pair: rules, large messages, a slow
// reader, an end that goes away.
#include "sandbox/ipc/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <optional>

#include "base/pipe.h"
#include "model/limits.h"
#include "tests/support/run_loop.h"

using namespace berth;
using namespace berth::ipc;

namespace {

std::string frame(const FrameHeader& header, std::string_view payload) {
    std::string bytes(sizeof header, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes + std::string{payload};
}

FrameHeader header(std::uint32_t bytes, std::uint32_t total, std::uint32_t more,
                   MessageType type = MessageType::output) {
    FrameHeader made;
    made.type = static_cast<std::uint16_t>(type);
    made.bytes = bytes;
    made.total = total;
    made.more = more;
    return made;
}

void breaks(const std::vector<std::string>& frames, const std::string& rule) {
    Assembler assembler;
    for (const std::string& bytes : frames)
        CHECK_FALSE(assembler.add(bytes));
    CHECK_THAT(assembler.error(), Catch::Contains(rule));
    CHECK_FALSE(assembler.add(frame(header(1, 1, 0), "x")));  // for ever
}

// Two channels on one loop.
struct Ends {
    Loop loop;
    std::vector<std::pair<MessageType, std::string>> got;
    std::vector<std::string> closed;
    std::optional<Channel> a, b;
    Ends() {
        SocketPair pair = make_seqpacket_pair();
        a.emplace(loop, std::move(pair.a),
                  Channel::Events{[](MessageType, std::string_view) {}, [](std::string) {}});
        b.emplace(loop, std::move(pair.b),
                  Channel::Events{[this](MessageType type, std::string_view payload) {
                                      got.emplace_back(type, payload);
                                  },
                                  [this](std::string why) { closed.push_back(std::move(why)); }});
    }
};

}  // namespace

TEST_CASE("frames become messages", "[ipc]") {
    Assembler assembler;
    const auto one = assembler.add(frame(header(3, 3, 0), "abc"));
    REQUIRE(one);
    CHECK(one->type == MessageType::output);
    CHECK(one->payload == "abc");
    CHECK_FALSE(assembler.add(frame(header(2, 5, 1), "ab")));
    CHECK_FALSE(assembler.add(frame(header(2, 5, 1), "cd")));
    const auto three = assembler.add(frame(header(1, 5, 0), "e"));
    REQUIRE(three);
    CHECK(three->payload == "abcde");
    const auto empty = assembler.add(frame(header(0, 0, 0, MessageType::hello), ""));
    REQUIRE(empty);
    CHECK(empty->payload.empty());
    CHECK(assembler.error().empty());
}

TEST_CASE("a frame that breaks a rule ends the connection for good", "[ipc]") {
    FrameHeader bad_mark = header(1, 1, 0);
    bad_mark.magic = 0;
    FrameHeader bad_version = header(1, 1, 0);
    bad_version.version = 2;
    breaks({""}, "shorter than its header");
    breaks({std::string(sizeof(FrameHeader) - 1, '\0')}, "shorter than its header");
    breaks({frame(bad_mark, "x")}, "does not begin with its mark");
    breaks({frame(bad_version, "x")}, "version 2, this program speaks 1");
    breaks({frame(header(2, 2, 0), "x")}, "size is not what it says");
    breaks({frame(header(1, 1, 0), "xx")}, "size is not what it says");
    breaks({frame(header(1, static_cast<std::uint32_t>(limits::kMessageBytes) + 1, 1), "x")},
           "over the limit");
    breaks({frame(header(2, 1, 0), "xx")}, "longer than it says");
    breaks({frame(header(1, 2, 0), "x")}, "shorter than it says");
    breaks({frame(header(1, 3, 1), "x"), frame(header(1, 4, 1), "x")}, "another message");
    breaks({frame(header(1, 3, 1), "x"), frame(header(1, 3, 1, MessageType::ended), "x")},
           "another message");
}

TEST_CASE("messages arrive whole and in order, the large ones too", "[ipc]") {
    Ends ends;
    const std::size_t sizes[] = {0, 1, limits::kFrameBytes, limits::kFrameBytes + 1, 5'000'000};
    for (const std::size_t size : sizes)
        ends.a->send(MessageType::output, std::string(size, 'x'));
    ends.a->send(Cancel{1, 2});
    test::run_until(ends.loop, [&] { return ends.got.size() == 6; });
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(ends.got[i].first == MessageType::output);
        CHECK((ends.got[i].second == std::string(sizes[i], 'x')));
    }
    CHECK(ends.got[5].first == MessageType::cancel);
    CHECK(decode<Cancel>(ends.got[5].second)->attempt == 2);
    CHECK(ends.a->queued_bytes() == 0);
    CHECK(ends.b->peer_uid() == ::getuid());
    CHECK(ends.b->peer_pid() == ::getpid());
}

TEST_CASE("a reader that pauses makes the sender wait, and is told of when it drains", "[ipc]") {
    Ends ends;
    ends.b->pause();
    int drained = 0;
    std::size_t left = 0;
    ends.a->on_drained(100'000, [&] {
        ++drained;
        left = ends.a->queued_bytes();
    });
    for (int i = 0; i < 40; ++i)
        ends.a->send(MessageType::output, std::string(100'000, 'x'));
    const std::size_t queued = ends.a->queued_bytes();
    CHECK(queued > 2'000'000);  // the kernel takes a little, the rest waits here
    for (int i = 0; i < 5; ++i)
        uv_run(ends.loop.raw(), UV_RUN_NOWAIT);
    CHECK(ends.got.empty());
    CHECK(ends.a->queued_bytes() == queued);
    CHECK(drained == 0);
    ends.b->resume();
    test::run_until(ends.loop, [&] { return ends.got.size() == 40; });
    CHECK(drained == 1);
    CHECK(left <= 100'000);
}

TEST_CASE("the end of the peer is told once, after what it had sent", "[ipc]") {
    Ends ends;
    ends.a->send(Cancel{1, 2});
    ends.a.reset();
    test::run_until(ends.loop, [&] { return !ends.closed.empty(); });
    CHECK(ends.got.size() == 1);
    CHECK(ends.closed == std::vector<std::string>{"the other end has closed"});
    ends.b->send(Cancel{1, 2});  // nothing: nobody is there
    CHECK(ends.b->queued_bytes() == 0);
}

TEST_CASE("a peer that breaks a rule is cut off, and nothing after it is heard", "[ipc]") {
    Loop loop;
    SocketPair pair = make_seqpacket_pair();
    std::vector<std::string> closed;
    int messages = 0;
    const Channel channel{loop, std::move(pair.a),
                          Channel::Events{[&](MessageType, std::string_view) { ++messages; },
                                          [&](std::string why) { closed.push_back(why); }}};
    const auto say = [&](const std::string& bytes) {
        REQUIRE(::send(pair.b.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(bytes.size()));
    };
    say(frame(header(1, 1, 0), "x"));
    SECTION("junk") {
        say("junk");
        say(frame(header(1, 1, 0), "x"));
        test::run_until(loop, [&] { return !closed.empty(); });
        CHECK(closed == std::vector<std::string>{"a frame is shorter than its header"});
    }
    SECTION("a packet over the size limit") {
        const auto size = static_cast<std::uint32_t>(limits::kFrameBytes + 1);
        say(frame(header(size, size, 0), std::string(size, 'x')));
        test::run_until(loop, [&] { return !closed.empty(); });
        CHECK(closed == std::vector<std::string>{"a frame is over the size limit"});
    }
    CHECK(messages == 1);
}

TEST_CASE("a channel may be destroyed by its own callbacks", "[ipc]") {
    Loop loop;
    SocketPair pair = make_seqpacket_pair();
    std::optional<Channel> a, b;
    int heard = 0;
    b.emplace(loop, std::move(pair.b), Channel::Events{{}, {}});
    a.emplace(loop, std::move(pair.a),
              Channel::Events{[&](MessageType, std::string_view) {
                                  ++heard;
                                  a.reset();
                              },
                              [](std::string) { FAIL("called after the destructor"); }});
    b->send(Cancel{1, 1});
    b->send(Cancel{2, 1});
    test::run_until(loop, [&] { return !a; });
    CHECK(heard == 1);
}

TEST_CASE("a broken socket is told of also while the reader pauses", "[ipc]") {
    Ends ends;
    std::vector<std::string> closed;
    SocketPair pair = make_seqpacket_pair();
    Channel channel{ends.loop, std::move(pair.a),
                    Channel::Events{{}, [&](std::string why) { closed.push_back(why); }}};
    channel.pause();
    pair.b = Fd{};
    channel.send(Cancel{1, 1});
    channel.pause();  // again: its end is still heard
    channel.send(Cancel{2, 1});
    CHECK(channel.queued_bytes() == 0);
    test::run_until(ends.loop, [&] { return !closed.empty(); });
    CHECK(closed == std::vector<std::string>{"Broken pipe"});
}
