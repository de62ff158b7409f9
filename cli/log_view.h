// Chunks of a log put back into lines and marked by where they came from.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cli/session.h"

namespace berth {

struct Chunk {
    std::string time;    // RFC 3339
    std::string stream;  // stdout, stderr, note
    std::string bytes;
};
// From an event's data; nothing when it is not a chunk.
std::optional<Chunk> chunk_of(const Json& data);
std::optional<std::string> from_base64(std::string_view text);

// Prints chunks as lines: `out| `, `err| `, and `--- ` for Berth's own remarks.
// A line of one stream is never broken by another's; its rest comes at finish().
class LogView {
public:
    enum class Marks { on, off };
    enum class Times { on, off };
    LogView(Session& session, Marks marks, Times times)
        : session_{session}, marks_{marks}, times_{times} {}

    void add(const Chunk& chunk);
    void finish();

private:
    struct Pending {
        std::string time;
        std::string bytes;
    };
    void line(std::string_view stream, std::string_view time, std::string_view text);

    Session& session_;
    Marks marks_;
    Times times_;
    std::map<std::string, Pending> pending_;
};

}  // namespace berth
