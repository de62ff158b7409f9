#include "model/json.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

// Hands the text to the JSON library and counts what it has taken, which is the
// only way to know where an event is.
class CountingIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, std::size_t& taken) : at_{at}, taken_{&taken} {}
    reference operator*() const { return *at_; }
    CountingIterator& operator++() {
        ++at_;
        ++*taken_;
        return *this;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
    bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

private:
    const char* at_;
    std::size_t* taken_;
};

// Builds the value from the library's events, and refuses what RFC 8259 leaves open.
class StrictBuilder final : public nlohmann::json_sax<Json> {
public:
    explicit StrictBuilder(std::string_view text) : text_{text} {}

    std::size_t& taken() { return taken_; }
    Json take() { return std::move(root_); }
    bool holds_no_zero_byte() {
        const auto at = text_.find('\0');
        return at == std::string_view::npos || refuse(at, "there is a zero byte");
    }
    Failure take_failure() { return std::move(failure_); }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(number_integer_t value) override { return add(value); }
    bool number_unsigned(number_unsigned_t value) override { return add(value); }
    bool number_float(number_float_t value, const string_t& digits) override {
        // An integer outside 64 bits comes as a float.
        if (digits.find_first_of(".eE") == std::string::npos)
            return refuse(token_start(), "an integer outside 64 bits would be rounded");
        return add(value);
    }
    bool string(string_t& value) override { return add(std::move(value)); }
    bool binary(binary_t&) override { return false; }  // not in JSON text

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override {
        if (open_.back()->contains(name))
            return refuse(token_start(),
                          fmt::format("the key '{}' is there twice", printable(name, 60)));
        key_ = std::move(name);
        return done();
    }

    // `position` counts from 1 and is that of the last character read.
    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception& error) override {
        const bool too_large = dynamic_cast<const Json::out_of_range*>(&error) != nullptr;
        return too_large ? refuse(token_start(), "a number is too large")
                         : refuse(position == 0 ? 0 : position - 1, reason_of(error.what()));
    }

private:
    template <typename T>
    bool add(T&& value) {
        place(std::forward<T>(value));
        return done();
    }

    bool open(Json empty) {
        if (open_.size() == static_cast<std::size_t>(limits::kJsonDepth))
            return refuse(token_start(),
                          fmt::format("it is nested deeper than {} levels", limits::kJsonDepth));
        open_.push_back(&place(std::move(empty)));
        return done();
    }

    bool close() {
        open_.pop_back();
        return done();
    }

    // Pointers into open_ stay good: a container grows only while it is the innermost.
    Json& place(Json value) {
        if (open_.empty()) return root_ = std::move(value);
        if (open_.back()->is_array()) return open_.back()->emplace_back(std::move(value));
        return (*open_.back())[key_] = std::move(value);
    }

    bool done() {
        last_end_ = taken_;
        return true;
    }

    // Of the token that was just read: behind the one before and what separates them.
    std::size_t token_start() const {
        return std::min(text_.find_first_not_of(" \t\r\n,:", last_end_), text_.size());
    }

    bool refuse(std::size_t at, std::string_view why) {
        at = std::min(at, text_.size());
        const std::string_view before = text_.substr(0, at);
        const auto line = 1 + std::ranges::count(before, '\n');
        const auto column =
            1 + std::ranges::count_if(before.substr(before.rfind('\n') + 1), [](char c) {
                return (static_cast<unsigned char>(c) & 0xc0) != 0x80;  // one a code point
            });
        failure_ = {FailureKind::invalid,
                    fmt::format("not valid JSON at line {}, column {}: {}", line, column, why),
                    fmt::format("{}:{}", line, column)};
        return false;
    }

    // The library's reason without the piece of the text that it quotes.
    static std::string_view reason_of(std::string_view what) {
        if (const auto dash = what.find(" - "); dash != std::string_view::npos)
            what.remove_prefix(dash + 3);
        return what.substr(0, what.find("; last read"));
    }

    std::string_view text_;
    std::size_t taken_ = 0;
    std::size_t last_end_ = 0;
    Json root_;
    std::vector<Json*> open_;
    std::string key_;
    Failure failure_{FailureKind::invalid, {}, {}};
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf"))  // the library would skip it
        return fail_at(FailureKind::invalid, "1:1",
                       "not valid JSON at line 1, column 1: it begins with a byte order mark; "
                       "save it without one");
    StrictBuilder builder{text};
    const CountingIterator first{text.data(), builder.taken()};
    const CountingIterator last{text.data() + text.size(), builder.taken()};
    // The library takes a zero byte for the end of the text.
    if (!Json::sax_parse(first, last, &builder) || !builder.holds_no_zero_byte())
        return tl::unexpected<Failure>{builder.take_failure()};
    return builder.take();
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string list_text(const std::vector<std::string>& list) { return to_text(Json(list)); }

std::vector<std::string> read_list(std::string_view text) {
    std::vector<std::string> list;
    const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!value.is_array()) return list;
    for (const Json& item : value)
        if (item.is_string()) list.push_back(item.get<std::string>());
    return list;
}

}  // namespace berth
