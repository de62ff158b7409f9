// All that Berth keeps but the root key, as one tar, while it runs.
#include <memory>
#include <utility>

#include "control/answer.h"
#include "control/routes.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::size_t kUnsent = limits::kHttpUnsentBytes / 4;  // one piece more always fits

// Hands on what comes, as fast as the client takes it. Held by the connection, until the
// client has all of it or is gone.
struct Sending : std::enable_shared_from_this<Sending> {
    Sending(StreamReply to, std::unique_ptr<ByteSource> from)
        : stream{std::move(to)}, source{std::move(from)} {}

    void begin() {
        if (stream.gone()) return;  // nobody would ever let go of what follows
        stream.on_gone([self = shared_from_this()] { self->source.reset(); });
        stream.on_drained([self = shared_from_this()] {
            if (self->source) self->source->resume();
        });
        source->read([weak = weak_from_this()](std::string_view bytes) {
            if (const auto self = weak.lock()) self->take(bytes);
        });
    }
    void take(std::string_view bytes) {
        if (bytes.empty()) return stream.end();
        stream.send(std::string{bytes});
        if (source && stream.unsent() > kUnsent) source->pause();
    }

    StreamReply stream;
    std::unique_ptr<ByteSource> source;
};

}  // namespace

void add_backup_routes(Router& router, Api& api) {
    router.add(
        {{Method::post, "/v2/backup", Role::administrator,
          "give a copy of all but the root key, as a tar", [&api](Request request, Reply reply) {
              api.back_up(caller(request), [reply = std::move(reply)](
                                               Result<std::unique_ptr<ByteSource>> made) mutable {
                  if (!made) return reply.failed(made.error());
                  // Whoever got fewer has no backup.
                  reply.header("berth-bytes", std::to_string((*made)->bytes()));
                  std::make_shared<Sending>(reply.stream("application/x-tar"), std::move(*made))
                      ->begin();
              });
          }}});
}

}  // namespace berth
