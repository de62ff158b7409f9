// Which runtime a manifest's `base` means. For now there is one, `host`: the
// host's own /usr, offered once for each language found in it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "source/manifest.h"

namespace berth {

struct Runtime {
    std::string id;        // `host`: what the launcher is asked for
    std::string language;  // as BaseName::name
    std::string version;   // of the language; empty where it has none (sh)
    bool operator==(const Runtime&) const = default;
};

enum class NearMatch { refuse, allow };

struct RuntimeChoice {
    Runtime runtime;
    std::string note;  // not empty for a near match: goes on the release
    bool operator==(const RuntimeChoice&) const = default;
};

// Looks for the languages' programs in usr/local/bin and usr/bin below `root` and
// asks each for its version (`node --version`, 5 s at most). Blocking: at start.
std::vector<Runtime> host_runtimes(const std::filesystem::path& root = "/");

// A version fits when its first parts are those that were asked for (3.11 fits
// 3.11.2); without one, the newest is taken. Another version of the language is a
// near match. The failure says what there is and how to get what there is not.
Result<RuntimeChoice> resolve_runtime(const std::vector<Runtime>& available, const BaseName& base,
                                      NearMatch near);

}  // namespace berth
