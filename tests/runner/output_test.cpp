#include "sandbox/runner/output.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "model/limits.h"
#include "tests/support/seed.h"

using namespace berth;
using ipc::StreamKind;
using runner::RunOutput;

namespace {

struct Chunk {
    StreamKind stream;
    std::string bytes;
};

// Collects what a RunOutput lets through.
struct Collected {
    explicit Collected(RunOutput::Limits limits, std::vector<std::string_view> secrets = {})
        : output{vault::Masker{secrets}, limits, [this](StreamKind stream, std::string bytes) {
                     chunks.push_back({stream, std::move(bytes)});
                 }} {}

    std::string all(StreamKind stream) const {
        std::string text;
        for (const Chunk& chunk : chunks)
            if (chunk.stream == stream) text += chunk.bytes;
        return text;
    }

    std::vector<Chunk> chunks;
    RunOutput output;
};

}  // namespace

TEST_CASE("output passes through in order, byte for byte", "[runner]") {
    Collected got{{1000, 100}};
    const std::string binary{"\0\xff\xfe\x1b[31m\n", 9};
    got.output.add(StreamKind::out, "a");
    got.output.add(StreamKind::err, "b");
    got.output.add(StreamKind::out, binary);
    got.output.finish();
    CHECK(got.all(StreamKind::out) == "a" + binary);
    CHECK(got.all(StreamKind::err) == "b");
    CHECK(got.all(StreamKind::note).empty());
    CHECK(got.output.printed_bytes() == 2 + binary.size());
}

TEST_CASE("past its limit the log gets one note, and the state is still found", "[runner]") {
    auto random = test::seeded_random("pieces");
    for (int round = 0; round < 200; ++round) {
        Collected got{{1000, 100}};
        std::uint64_t printed = 0;
        for (int i = 0; i < 60; ++i) {
            const std::string piece(test::below(random, 91), 'x');
            got.output.add(i % 3 == 0 ? StreamKind::err : StreamKind::out, piece);
            printed += piece.size();
        }
        got.output.add(StreamKind::out, "\nthe state\n");
        got.output.finish();
        const auto kept = got.all(StreamKind::out).size() + got.all(StreamKind::err).size();
        REQUIRE(got.output.printed_bytes() == printed + 11);
        REQUIRE(kept == std::min<std::uint64_t>(1000, printed + 11));
        const std::string note = "output limit of 1000 bytes reached; the rest is not kept";
        REQUIRE(got.all(StreamKind::note) == (printed + 11 > 1000 ? note : ""));
        if (printed + 11 > 1000) REQUIRE(got.chunks.back().stream == StreamKind::note);
        REQUIRE(got.output.state().text == "the state");
    }
}

TEST_CASE("a log that is exactly at its limit gets no note", "[runner]") {
    Collected got{{10, 100}};
    got.output.add(StreamKind::err, "0123456789");
    got.output.finish();
    CHECK(got.all(StreamKind::err) == "0123456789");
    CHECK(got.all(StreamKind::note).empty());
}

TEST_CASE("the real limit is told in MiB", "[runner]") {
    Collected got{{limits::kLogBytes, limits::kStateBytes}};
    const std::string piece(limits::kLogChunkBytes, 'x');
    for (std::uint64_t sent = 0; sent <= limits::kLogBytes; sent += piece.size())
        got.output.add(StreamKind::out, piece);
    got.output.finish();
    CHECK(got.all(StreamKind::out).size() == limits::kLogBytes);
    CHECK(got.all(StreamKind::note) == "output limit of 16 MiB reached; the rest is not kept");
    CHECK(got.output.state().text.empty());
    CHECK(got.output.state().bytes == limits::kLogBytes + piece.size());
}

TEST_CASE("a secret is masked in both streams and in the state", "[runner]") {
    Collected got{{1000, 100}, {"hunter2-hunter2"}};
    got.output.add(StreamKind::err, "token hunter2-");
    got.output.add(StreamKind::out, "state=hunter2-hunter2");
    got.output.add(StreamKind::err, "hunter2 end");
    got.output.finish();
    CHECK(got.all(StreamKind::err) == "token *** end");
    CHECK(got.all(StreamKind::out) == "state=***");
    CHECK(got.output.state().text == "state=***");
}

TEST_CASE("no chunk is larger than a record", "[runner]") {
    // The masker holds the first half back, so that both leave it at once.
    const std::string secret(3 * limits::kLogChunkBytes / 4, 's');
    Collected got{{limits::kLogBytes, 100}, {secret}};
    const std::string half = secret.substr(0, secret.size() - 1);
    got.output.add(StreamKind::out, half);
    got.output.add(StreamKind::out, "-" + half.substr(0, 1000) + "-" + std::string(60'000, 'x'));
    got.output.finish();
    CHECK(got.all(StreamKind::out).size() == half.size() + 1002 + 60'000);
    for (const Chunk& chunk : got.chunks)
        CHECK(chunk.bytes.size() <= limits::kLogChunkBytes);
}

TEST_CASE("output goes on in another's place as if it had been the same", "[runner]") {
    auto random = test::seeded_random("taking over");
    const std::vector<std::string_view> secrets{"aabbaabb", "abaaba"};
    for (int round = 0; round < 60; ++round) {
        Collected whole{{300, 40}, secrets};
        std::vector<Chunk> chunks;
        const auto make = [&] {
            return std::make_unique<RunOutput>(vault::Masker{secrets}, RunOutput::Limits{300, 40},
                                               [&](StreamKind stream, std::string bytes) {
                                                   chunks.push_back({stream, std::move(bytes)});
                                               });
        };
        auto now = make();
        for (std::size_t i = test::below(random, 40); i-- > 0;) {
            const auto text = test::random_text(random, test::below(random, 30), "aabb \n\r");
            const auto stream = test::below(random, 2) == 0 ? StreamKind::out : StreamKind::err;
            whole.output.add(stream, text);
            now->add(stream, text);
            if (test::below(random, 3) != 0) continue;
            auto next = make();
            next->take_over(vault::Masker{secrets}, now->progress());
            now = std::move(next);
        }
        whole.output.finish();
        now->finish();
        for (const auto stream : {StreamKind::out, StreamKind::err, StreamKind::note}) {
            std::string text;
            for (const Chunk& chunk : chunks)
                if (chunk.stream == stream) text += chunk.bytes;
            REQUIRE(text == whole.all(stream));
        }
        REQUIRE(now->state().text == whole.output.state().text);
        REQUIRE(now->state().bytes == whole.output.state().bytes);
        REQUIRE(now->printed_bytes() == whole.output.printed_bytes());
    }
}
