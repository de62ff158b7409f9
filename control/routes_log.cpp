// A run's log: a signed link to its text (contract 11), or followed live.
#include <memory>
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "control/answer.h"
#include "control/routes.h"
#include "model/limits.h"

namespace berth {
namespace {

using namespace std::chrono_literals;
constexpr auto kLinkTime = 15min;                              // contract 5.6
constexpr std::size_t kUnsent = limits::kHttpUnsentBytes / 4;  // one piece more always fits

std::string link_text(RunId run, std::int64_t expires) {
    return fmt::format("log {} {}", run.value, expires);
}

// Writes what it is given as server-sent events.
class EventWriter final : public LogFollower {
public:
    explicit EventWriter(StreamReply stream) : stream_{std::move(stream)} {}
    void chunk(const LogChunk& chunk) override {
        stream_.event("chunk", to_text(to_form(chunk)), std::to_string(chunk.seq));
    }
    void end(const RunView& run) override {
        stream_.event("end", to_text(to_form(run)));
        stream_.end();
    }
    void broken(const Failure& why) override {
        stream_.event("error", to_text(Json{{"message", why.message}}));
        stream_.end();
    }
    bool has_room() override { return stream_.unsent() < kUnsent; }
    void on_room(std::function<void()> tell) override { stream_.on_drained(std::move(tell)); }
    StreamReply& stream() { return stream_; }

private:
    StreamReply stream_;
};

void follow(Api& api, RunId id, std::uint64_t after, Method method, Reply reply) {
    // The run is looked for first: a stream cannot be a 404 any more.
    api.get_run(id,
                [&api, id, after, method, reply = std::move(reply)](Result<RunView> run) mutable {
                    if (!run) return reply.failed(run.error());
                    if (method == Method::head) return reply.stream().end();
                    auto writer = std::make_shared<EventWriter>(reply.stream());
                    // Held by the connection: it dies when the client leaves or the stream ends.
                    auto handle = std::make_shared<FollowHandle>();
                    writer->stream().on_gone([handle] { handle->reset(); });
                    api.follow_log(id, after, writer, [handle](Result<FollowHandle> following) {
                        if (following) *handle = std::move(*following);
                    });
                });
}

Failure bad_stream() {
    return {FailureKind::unprocessable,
            "query parameter 'stream' must be one of: stdout, stderr, note", "query.stream"};
}

void open_log(Api& api, const Request& request, Reply reply) {
    auto id = request.id<RunId>("run_id");
    if (!id) return reply.failed(id.error());
    auto wants_follow = request.query.flag("follow");
    if (!wants_follow) return reply.failed(wants_follow.error());
    auto after = request.query.integer("after");
    if (!after) return reply.failed(after.error());
    if (after->value_or(0) < 0)
        return reply.failed({FailureKind::unprocessable,
                             "query parameter 'after' must not be negative", "query.after"});
    if (wants_follow->value_or(false))
        return follow(api, *id, static_cast<std::uint64_t>(after->value_or(0)), request.method,
                      std::move(reply));
    // Asked for here or there, one stream is one stream.
    std::string stream;
    if (const auto word = request.query.find("stream")) {
        if (!parse_output_stream(*word)) return reply.failed(bad_stream());
        stream = fmt::format("&stream={}", *word);
    }
    api.get_run(*id, [&api, id = *id, stream,
                      reply = std::move(reply)](Result<RunView> run) mutable {
        if (!run) return reply.failed(run.error());
        const auto expires = to_micros(api.now() + kLinkTime) / 1'000'000;
        reply.redirect(fmt::format("/v2/runs/{}/log/content?expires={}&signature={}{}", id.value,
                                   expires, api.sign(link_text(id, expires)), stream));
    });
}

void send_content(Api& api, const Request& request, Reply reply) {
    auto id = request.id<RunId>("run_id");
    if (!id) return reply.failed(id.error());
    auto expires = request.query.integer("expires");
    if (!expires) return reply.failed(expires.error());
    const auto signature = request.query.find("signature").value_or("");
    const bool good = expires->has_value() &&
                      equal_constant_time(api.sign(link_text(*id, **expires)), signature) &&
                      **expires >= to_micros(api.now()) / 1'000'000;
    if (!good)
        return reply.failed({FailureKind::denied,
                             "this log link is not valid or has expired; ask for a new one", ""});
    std::optional<OutputStream> only;
    if (const auto word = request.query.find("stream")) {
        only = parse_output_stream(*word);
        if (!only) return reply.failed(bad_stream());
    }
    // At most limits::kLogBytes: a log is capped when it is taken in.
    auto text = std::make_shared<std::string>();
    api.read_log(
        *id, /*after=*/0,
        [text, only](std::vector<LogChunk> page) {
            for (const LogChunk& chunk : page)
                if (!only || chunk.stream == *only) *text += chunk.bytes;
        },
        [text, reply = std::move(reply)](Result<void> read) mutable {
            if (!read) return reply.failed(read.error());
            reply.text(200, std::move(*text));
        });
}

}  // namespace

void add_log_routes(Router& router, Api& api) {
    const std::string log = "/v2/runs/{run_id}/log";
    router.add({
        {Method::get, log, Role::administrator, "a link to a run's log, or its log live",
         [&api](Request request, Reply reply) { open_log(api, request, std::move(reply)); }},
        {Method::get, log + "/content", Role::administrator, "the text behind a log link",
         [&api](Request request, Reply reply) { send_content(api, request, std::move(reply)); }},
    });
}

}  // namespace berth
