// Finds zone files by name, below the system's zoneinfo folder only.
#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "model/limits.h"
#include "model/zone.h"

namespace berth {
namespace {

// IANA names begin with a capital; what else lies in that folder (`right/...`,
// `localtime`, `zone.tab`) does not. No name leads out of the folder.
bool is_zone_name(std::string_view name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '/' || c == '_' || c == '+' || c == '-';
    };
    return !name.empty() && name.size() <= limits::kZoneNameBytes && name[0] >= 'A' &&
           name[0] <= 'Z' && name.back() != '/' && std::ranges::all_of(name, fits);
}

tl::unexpected<Failure> no_such_zone(std::string_view name) {
    return fail(FailureKind::unprocessable,
                "there is no time zone '{}'; zones have names such as 'Europe/Berlin' or 'UTC', "
                "all of them are told by 'timedatectl list-timezones'",
                printable(name, limits::kZoneNameBytes));
}

}  // namespace

Zones::Zones(std::filesystem::path folder) : folder_{std::move(folder)} {}

Result<ZonePtr> Zones::find(std::string_view name) {
    if (const auto known = read_.find(name); known != read_.end()) return known->second;
    if (!is_zone_name(name)) return no_such_zone(name);
    if (read_.empty()) stamp_ = stamp();
    const auto file = folder_ / name;
    std::error_code none;
    ZonePtr zone;
    if (std::filesystem::is_regular_file(file, none)) {
        auto bytes = read_file(file, limits::kZoneBytes);
        if (!bytes) return pass_on(bytes);
        auto parsed = Zone::parse(std::string{name}, *bytes);
        if (!parsed) return pass_on(parsed);
        zone = std::make_shared<const Zone>(*std::move(parsed));
    } else if (name == "UTC") {
        zone = std::make_shared<const Zone>(Zone::utc());  // also on a host without zone data
    } else if (!std::filesystem::is_directory(folder_, none)) {
        return fail(FailureKind::unavailable,
                    "cannot look up time zone '{}': there is no zone data in '{}'; install the "
                    "package tzdata",
                    name, folder_.string());
    } else {
        return no_such_zone(name);
    }
    read_.emplace(name, zone);
    return zone;
}

void Zones::forget() { read_.clear(); }

bool Zones::forget_if_updated() {
    if (read_.empty() || stamp() == stamp_) return false;
    forget();
    return true;
}

// An update puts new files in the place of old ones, in this folder too.
Zones::Stamp Zones::stamp() const {
    const auto changed = [](const std::filesystem::path& path) -> std::int64_t {
        std::error_code none;
        const auto time = std::filesystem::last_write_time(path, none);
        return none ? 0 : static_cast<std::int64_t>(time.time_since_epoch().count());
    };
    return {changed(folder_), changed(folder_ / "tzdata.zi")};
}

std::string Zones::version() const {
    constexpr std::string_view kBefore = "# version ";
    const auto text = read_file(folder_ / "tzdata.zi", limits::kZoneBytes);
    if (!text || !text->starts_with(kBefore)) return {};
    const auto line = std::string_view{*text}.substr(kBefore.size());
    return printable(line.substr(0, line.find('\n')), 20);
}

}  // namespace berth
