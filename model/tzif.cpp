// Reads TZif files (RFC 9636). The bytes may be anything: every count is checked
// against what is there before it is used.
#include <algorithm>

#include "base/text.h"
#include "model/limits.h"
#include "model/zone.h"

namespace berth {
namespace {

constexpr std::size_t kHeaderBytes = 44;

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes)
        value = value << 8 | static_cast<unsigned char>(byte);
    return value;
}

}  // namespace

class TzifReader {
public:
    TzifReader(std::string name, std::string_view bytes) : rest_{bytes} {
        zone_.name_ = std::move(name);
    }

    Result<Zone> read() {
        if (const char* trouble = read_file(); trouble != nullptr)
            return fail(FailureKind::invalid, "cannot use the zone file of '{}': {}",
                        printable(zone_.name_, 80), trouble);
        return std::move(zone_);
    }

private:
    struct Header {
        char version = 0;
        std::uint64_t ut_marks = 0, std_marks = 0, leaps = 0, times = 0, kinds = 0, chars = 0;

        std::uint64_t data_bytes(std::uint64_t time_bytes) const {
            return times * (time_bytes + 1) + kinds * 6 + chars + leaps * (time_bytes + 4) +
                   std_marks + ut_marks;
        }
    };

    // Each returns what is wrong, or nothing.
    const char* read_file() {
        if (rest_.size() > limits::kZoneBytes) return "it is too large";
        Header header;
        if (const char* trouble = read_header(header); trouble != nullptr) return trouble;
        if (header.version == 0) return read_data(header, /*time_bytes=*/4);

        // Version 2 and later: the first block is for old readers.
        if (rest_.size() < header.data_bytes(4)) return "it is cut short";
        rest_.remove_prefix(header.data_bytes(4));
        if (const char* trouble = read_header(header); trouble != nullptr) return trouble;
        if (const char* trouble = read_data(header, /*time_bytes=*/8); trouble != nullptr)
            return trouble;
        return read_footer();
    }

    const char* read_header(Header& header) {
        if (rest_.size() < kHeaderBytes) return "it is cut short";
        if (take(4) != "TZif") return "it is not a TZif file";
        header.version = take(1)[0];
        if (header.version != 0 && (header.version < '2' || header.version > '9'))
            return "its version is unknown";
        take(15);
        for (auto* count : {&header.ut_marks, &header.std_marks, &header.leaps, &header.times,
                            &header.kinds, &header.chars})
            *count = big_endian(take(4));
        return nullptr;
    }

    const char* read_data(const Header& header, std::size_t time_bytes) {
        if (header.leaps != 0) return "it counts leap seconds, which the system's clock does not";
        if (header.kinds == 0 || header.kinds > 256 || header.chars == 0 || header.chars > 256)
            return "it has no local time types, or too many";
        if (rest_.size() < header.data_bytes(time_bytes)) return "it is cut short";
        for (std::uint64_t i = 0; i < header.times; ++i) {
            const auto raw = big_endian(take(time_bytes));
            zone_.times_.push_back(time_bytes == 4 ? static_cast<std::int32_t>(raw)
                                                   : static_cast<std::int64_t>(raw));
        }
        if (std::ranges::adjacent_find(zone_.times_, std::ranges::greater_equal{}) !=
            zone_.times_.end())
            return "its transitions are out of order";
        for (const char kind : take(header.times))
            zone_.after_.push_back(static_cast<std::uint8_t>(kind));
        if (std::ranges::any_of(zone_.after_, [&](auto kind) { return kind >= header.kinds; }))
            return "a transition leads to a type that is not there";
        const auto kinds = take(header.kinds * 6);
        zone_.abbreviations_ = take(header.chars);
        take(header.std_marks + header.ut_marks);
        return read_kinds(kinds);
    }

    const char* read_kinds(std::string_view bytes) {
        if (zone_.abbreviations_.back() != '\0') return "its abbreviations do not end";
        for (; !bytes.empty(); bytes.remove_prefix(6)) {
            Zone::Kind kind;
            kind.offset = static_cast<std::int32_t>(big_endian(bytes.substr(0, 4)));
            kind.summer = bytes[4] != 0;
            kind.abbreviation = static_cast<std::uint8_t>(bytes[5]);
            if (kind.offset <= -25 * 3600 || kind.offset >= 26 * 3600)
                return "an offset from UTC is out of range";
            if (kind.abbreviation >= zone_.abbreviations_.size())
                return "an abbreviation is not there";
            zone_.kinds_.push_back(kind);
        }
        return nullptr;
    }

    const char* read_footer() {
        if (rest_.size() < 2 || rest_.front() != '\n') return "it has no footer";
        const auto end = rest_.find('\n', 1);
        if (end == std::string_view::npos) return "its footer does not end";
        const auto text = rest_.substr(1, end - 1);
        if (text.empty()) return nullptr;  // nothing is known of later years
        auto rule = ZoneRule::parse(text);
        if (!rule) return "its footer is not a rule";
        zone_.rule_ = *std::move(rule);
        return nullptr;
    }

    std::string_view take(std::uint64_t size) {
        const auto taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    std::string_view rest_;
    Zone zone_;
};

Result<Zone> Zone::parse(std::string name, std::string_view bytes) {
    return TzifReader{std::move(name), bytes}.read();
}

}  // namespace berth
