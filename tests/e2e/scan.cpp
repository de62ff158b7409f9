#include "tests/e2e/scan.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/fd.h"

namespace berth::test {

Scan scan_files(Finder& finder, const std::filesystem::path& folder) {
    Scan scan;
    const auto before = finder.total();
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
        std::error_code gone;
        if (!entry.is_regular_file(gone)) continue;
        std::ifstream file{entry.path(), std::ios::binary};
        std::stringstream all;
        all << file.rdbuf();
        ++scan.things;
        if (const auto hits = finder.in(all.str()); hits > 0) {
            scan.hits += hits;
            scan.where += fmt::format("{}: {}\n", entry.path().string(), hits);
        }
    }
    scan.bytes = finder.total() - before;
    return scan;
}

Scan scan_memory(Finder& finder, pid_t pid, Until until) {
    constexpr std::uint64_t kShadow = std::uint64_t{64} << 30;  // AddressSanitizer's own
    Scan scan;
    const auto before = finder.total();
    const Fd memory{::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(memory);
    std::ifstream maps{fmt::format("/proc/{}/smaps", pid)};
    std::uint64_t begin = 0, end = 0;
    std::string name;
    std::string part(1 << 20, '\0');
    for (std::string line; std::getline(maps, line);) {
        const auto dash = line.find('-');
        std::istringstream words{line};
        std::string first;
        words >> first;
        if (!first.ends_with(":") && dash != std::string::npos) {
            begin = std::stoull(first.substr(0, dash), nullptr, 16);
            end = std::stoull(first.substr(first.find('-') + 1), nullptr, 16);
            name = line;
        }
        std::uint64_t resident = 0;
        if (first != "Rss:" || !(words >> resident) || resident == 0 || end - begin > kShadow)
            continue;
        if (until == Until::first_hit && scan.hits > 0) break;
        ++scan.things;
        finder.begin();
        for (std::uint64_t at = begin; at < end; at += part.size()) {
            const auto wanted = std::min<std::uint64_t>(part.size(), end - at);
            const auto got = ::pread(memory.get(), part.data(), wanted, static_cast<off_t>(at));
            if (got <= 0) break;
            if (const auto hits = finder.read({part.data(), static_cast<std::size_t>(got)})) {
                scan.hits += hits;
                scan.where += fmt::format("{} near {:x}: {}\n", name, at, hits);
            }
        }
    }
    scan.bytes = finder.total() - before;
    return scan;
}

}  // namespace berth::test
