#include "cli/log_view.h"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "cli/fields.h"

namespace berth {
namespace {

// A line without end is shown in pieces of this size rather than kept.
constexpr std::size_t kLongestLine = 64 * 1024;

struct Mark {
    std::string_view text;
    Tone tone;
};

Mark mark_of(std::string_view stream) {
    if (stream == "stdout") return {"out| ", Tone::faint};
    if (stream == "stderr") return {"err| ", Tone::faint};
    return {"--- ", Tone::warning};
}

}  // namespace

std::optional<std::string> from_base64(std::string_view text) {
    while (text.ends_with('='))
        text.remove_suffix(1);
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        std::uint32_t value = 0;
        if (c >= 'A' && c <= 'Z')
            value = static_cast<std::uint32_t>(c - 'A');
        else if (c >= 'a' && c <= 'z')
            value = static_cast<std::uint32_t>(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            value = static_cast<std::uint32_t>(c - '0') + 52;
        else if (c == '+' || c == '/')
            value = c == '+' ? 62 : 63;
        else
            return {};
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>(bits >> count & 0xFF);
        }
    }
    return out;
}

std::optional<Chunk> chunk_of(const Json& data) {
    Chunk chunk{field(data, "time"), field(data, "stream"), {}};
    if (chunk.stream.empty()) return {};
    if (const Json& text = inner(data, "text"); text.is_string()) {
        chunk.bytes = text.get<std::string>();
        return chunk;
    }
    auto bytes = from_base64(field(data, "base64"));
    if (!bytes) return {};
    chunk.bytes = std::move(*bytes);
    return chunk;
}

void LogView::add(const Chunk& chunk) {
    Pending& pending = pending_[chunk.stream];
    pending.time = chunk.time;
    pending.bytes += chunk.bytes;
    std::string_view rest = pending.bytes;
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        line(chunk.stream, pending.time, rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    // A note is whole in itself, with or without a line end.
    if (!rest.empty() && (rest.size() > kLongestLine || chunk.stream == "note")) {
        line(chunk.stream, pending.time, rest);
        rest = {};
    }
    pending.bytes = std::string{rest};
    session_.io.out.flush();
}

void LogView::finish() {
    for (auto& [stream, pending] : pending_)
        if (!pending.bytes.empty()) line(stream, pending.time, pending.bytes);
    pending_.clear();
    session_.io.out.flush();
}

void LogView::line(std::string_view stream, std::string_view time, std::string_view text) {
    if (text.ends_with('\r')) text.remove_suffix(1);
    const Colour colour = session_.colour();
    const Mark mark = mark_of(stream);
    std::ostream& out = session_.io.out;
    if (times_ == Times::on)
        out << toned(short_time(std::string{time}), Tone::faint, colour) << ' ';
    if (marks_ == Marks::on) out << toned(mark.text, mark.tone, colour);
    const Tone tone = stream == "note" ? Tone::warning : Tone::plain;
    out << toned(shown_lines(text), tone, colour) << '\n';
}

}  // namespace berth
