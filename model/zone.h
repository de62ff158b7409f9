// Time zones as the system's zoneinfo files (TZif, RFC 9636) tell them. A Zone is
// a value that never changes: a sequence of spans of time, each with one offset
// from UTC, up to the last transition in the file and after it by the file's
// POSIX rule, without end. Nothing here reads or sets TZ.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/zone_rule.h"

namespace berth {

// A time of day on a wall, as seconds since 1970-01-01 00:00 on that wall.
using LocalSeconds = std::chrono::local_seconds;
using UtcSeconds = std::chrono::sys_seconds;

// A time during which the clocks of a zone do not change: [begin, end).
struct ZoneSpan {
    UtcSeconds begin = UtcSeconds::min();
    UtcSeconds end = UtcSeconds::max();
    std::chrono::seconds offset{0};  // local = UTC + offset
    bool summer = false;             // daylight-saving time, as the zone calls it
    std::string_view abbreviation;   // `CEST`; lives as long as the zone

    LocalSeconds to_local(UtcSeconds t) const {
        return LocalSeconds{t.time_since_epoch() + offset};
    }
    UtcSeconds to_utc(LocalSeconds t) const { return UtcSeconds{t.time_since_epoch() - offset}; }
};

class Zone {
public:
    // The bytes of a TZif file, version 1 to 4; `name` is for messages and name().
    // Refuses (`invalid`) whatever a valid file cannot hold, leap seconds included.
    static Result<Zone> parse(std::string name, std::string_view bytes);
    static const Zone& utc();

    const std::string& name() const { return name_; }
    ZoneSpan span_at(UtcSeconds t) const;
    LocalSeconds to_local(UtcSeconds t) const { return span_at(t).to_local(t); }
    // The first change of the offset after `t`; nothing when there is none in the
    // 40 years after it. What changes only the abbreviation is not a change.
    std::optional<UtcSeconds> next_change(UtcSeconds t) const;

private:
    struct Kind {
        std::int32_t offset = 0;
        bool summer = false;
        std::uint8_t abbreviation = 0;  // index into abbreviations_
    };
    Zone() = default;

    std::string name_;
    std::string abbreviations_;        // each ended by a NUL
    std::vector<Kind> kinds_;          // the first is in force before all transitions
    std::vector<std::int64_t> times_;  // of the transitions, ascending
    std::vector<std::uint8_t> after_;  // the kind after each
    std::optional<ZoneRule> rule_;     // in force after the last transition

    friend class TzifReader;
    ZoneSpan span(const Kind& kind, std::int64_t begin, std::int64_t end) const;
};

using ZonePtr = std::shared_ptr<const Zone>;

// The zones of this host by IANA name, read once each and shared.
// Thread: one; what it gives out may be read from any.
class Zones {
public:
    explicit Zones(std::filesystem::path folder = "/usr/share/zoneinfo");

    // `Europe/Berlin`, `UTC`. unprocessable: there is no zone of that name.
    Result<ZonePtr> find(std::string_view name);
    // Forgets what was read, for after an update of the zone data. Zones that
    // were given out stay as they are.
    void forget();
    // The same, if it was updated since the first was read; whether it was.
    bool forget_if_updated();
    // The version of the installed zone data, such as `2025b`; empty when it is not told.
    std::string version() const;

private:
    using Stamp = std::pair<std::int64_t, std::int64_t>;  // when folder and index changed
    Stamp stamp() const;

    std::filesystem::path folder_;
    std::map<std::string, ZonePtr, std::less<>> read_;
    Stamp stamp_{};  // of what was read
};

}  // namespace berth
