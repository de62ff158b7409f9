// Finds the last non-empty line of a stream that comes in pieces of any size: the
// state that a script leaves for its next run. Holds two lines at most, each cut
// at the limit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::runner {

class LastLine {
public:
    explicit LastLine(std::size_t limit) : limit_{limit} {}

    void add(std::string_view bytes);
    // The stream has ended: what came after the last newline is a line too.
    void finish();

    struct Line {
        std::string text;  // without its line end; empty when `bytes` is over the limit
        std::uint64_t bytes = 0;
    };
    // The last line with more than white space in it, among those that are finished.
    const Line& line() const noexcept { return last_; }

    // All it knows, for one that goes on in its place.
    struct Progress {
        std::string last;
        std::uint64_t last_bytes = 0;
        std::string text;
        std::uint64_t bytes = 0;
        std::uint32_t last_char = 0;
        bool blank = true;
        template <class V>
        void fields(V& v) {
            v(last, last_bytes, text, bytes, last_char, blank);
        }
    };
    Progress progress() const;
    void take_over(const Progress& before);

private:
    void add_part(std::string_view part);
    void end_line();

    std::size_t limit_;
    Line last_;
    std::string text_;         // of the line being read, at most limit_ + 1 bytes
    std::uint64_t bytes_ = 0;  // of the line being read
    char last_char_ = '\0';
    bool blank_ = true;
};

}  // namespace berth::runner
