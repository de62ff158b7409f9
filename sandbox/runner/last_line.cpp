#include "sandbox/runner/last_line.h"

#include <algorithm>
#include <utility>

namespace berth::runner {

void LastLine::add(std::string_view bytes) {
    for (;;) {
        const auto end = bytes.find('\n');
        add_part(bytes.substr(0, end));
        if (end == std::string_view::npos) return;
        end_line();
        bytes.remove_prefix(end + 1);
    }
}

void LastLine::finish() { end_line(); }

LastLine::Progress LastLine::progress() const {
    return {last_.text, last_.bytes, text_, bytes_, static_cast<unsigned char>(last_char_), blank_};
}

void LastLine::take_over(const Progress& before) {
    last_ = {before.last, before.last_bytes};
    text_ = before.text;
    bytes_ = before.bytes;
    last_char_ = static_cast<char>(before.last_char);
    blank_ = before.blank;
}

void LastLine::add_part(std::string_view part) {
    if (part.empty()) return;
    // One byte more than the limit, for the '\r' of a line that just fits.
    text_ += part.substr(0, limit_ + 1 - std::min(text_.size(), limit_ + 1));
    bytes_ += part.size();
    last_char_ = part.back();
    if (blank_) blank_ = part.find_first_not_of(" \t\r\v\f") == std::string_view::npos;
}

void LastLine::end_line() {
    if (!blank_) {
        if (last_char_ == '\r') --bytes_;
        const bool fits = bytes_ <= limit_;
        text_.resize(fits ? static_cast<std::size_t>(bytes_) : 0);
        last_.text.swap(text_);
        last_.bytes = bytes_;
    }
    text_.clear();
    bytes_ = 0;
    last_char_ = '\0';
    blank_ = true;
}

}  // namespace berth::runner
