#include "daemon/doctor_facts.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace berth {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

bool overlap(const IdRange& range, std::uint64_t first, std::uint64_t count) {
    return first < std::uint64_t{range.first} + range.count && range.first < first + count;
}

// A file that is not there has no lines.
std::string text_of(const char* path) { return read_file(path, kMostBytes).value_or(""); }

}  // namespace

std::vector<std::string> others_in_range(const IdRange& range, std::string_view passwd,
                                         std::string_view subuid) {
    std::vector<std::string> found;
    for (const std::string& line : split(passwd, '\n')) {
        const auto parts = split(line, ':');
        const auto uid = parts.size() > 2 ? to_number<std::uint32_t>(parts[2]) : std::nullopt;
        if (uid && overlap(range, *uid, 1))
            found.push_back(fmt::format("account '{}' ({})", printable(parts[0], 64), *uid));
    }
    for (const std::string& line : split(subuid, '\n')) {
        const auto parts = split(line, ':');
        if (parts.size() != 3) continue;
        const auto first = to_number<std::uint32_t>(parts[1]);
        const auto count = to_number<std::uint32_t>(parts[2]);
        if (first && count && overlap(range, *first, *count))
            found.push_back(fmt::format("the range of '{}' in /etc/subuid (from {})",
                                        printable(parts[0], 64), *first));
    }
    return found;
}

std::vector<std::string> others_in_range(const IdRange& range) {
    return others_in_range(range, text_of("/etc/passwd"), text_of("/etc/subuid"));
}

std::uint64_t open_files_limit() {
    rlimit limit{};
    check(::getrlimit(RLIMIT_NOFILE, &limit), "asking for the limit of open files");
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

}  // namespace berth
