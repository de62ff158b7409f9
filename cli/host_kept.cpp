// The doctor's look at what Berth keeps: the root key's source, the folders, and who else may
// reach them.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "cli/host_checks.h"

namespace berth {
namespace {

using Place = HostFacts::Place;
using Sight = Place::Sight;
constexpr unsigned kOthers = 0077, kOthersWrite = 0022;
constexpr std::uint64_t kKeyBytes = 32;

Place look_at(const std::filesystem::path& path) {
    Place place{path};
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) {
        place.sight = errno == EACCES ? Sight::hidden : Sight::absent;
        return place;
    }
    place.sight = Sight::seen;
    place.mode = found.st_mode & 07777U;
    place.bytes = static_cast<std::uint64_t>(found.st_size);
    return place;
}

Check root_key_check(const HostFacts& facts) {
    Check check{"source of the root key", Weight::advised, true, "", ""};
    const Place& key = facts.root_key;
    if (!facts.credential.empty()) {
        check.detail = fmt::format("a credential of systemd, '{}'", facts.credential.string());
    } else if (key.sight == Sight::hidden) {
        check.detail = "not to be seen by this user, as it should be";
    } else if (key.sight == Sight::absent) {
        check.ok = false;
        check.detail = fmt::format("none at '{}'", key.path.string());
        check.cure =
            "make one with 'berth init', or give it as the credential 'berth.root-key' of systemd; "
            "where 'root_key' is set, it is looked for there";
    } else {
        const bool open = (key.mode & kOthers) != 0;
        check.ok = !open && key.bytes == kKeyBytes;
        check.detail =
            fmt::format("'{}', mode {:04o}, {} bytes", key.path.string(), key.mode, key.bytes);
        check.cure = open ? fmt::format("chmod 0400 {}: whoever reads it opens every secret",
                                        key.path.string())
                          : fmt::format(
                                "it has {} bytes, and this has not: put it back from your "
                                "own copy",
                                kKeyBytes);
    }
    return check;
}

// Names those whose mode has one of the bits.
Check modes_check(const char* name, const std::vector<Place>& places, unsigned bits,
                  const char* all_good, const char* cure) {
    Check check{name, Weight::advised, true, "", cure};
    std::size_t seen = 0;
    for (const Place& place : places) {
        if (place.sight == Sight::seen) ++seen;
        if (place.sight != Sight::seen || (place.mode & bits) == 0) continue;
        check.ok = false;
        check.detail += fmt::format("{}'{}' has mode {:04o}", check.detail.empty() ? "" : ", ",
                                    place.path.string(), place.mode);
    }
    if (check.ok)
        check.detail = seen == 0 ? "there are none yet, or this user may not look" : all_good;
    return check;
}

}  // namespace

void find_kept(HostFacts& facts) {
    facts.root_key = look_at(facts.state_dir / "keys" / "root.key");
    for (const char* path :
         {"/etc/credstore.encrypted/berth.root-key", "/etc/credstore/berth.root-key"})
        if (facts.credential.empty() && look_at(path).sight == Sight::seen) facts.credential = path;
    for (const char* name : {"store", "keys"})
        facts.own.push_back(look_at(facts.state_dir / name));
    for (const std::filesystem::path& path :
         {facts.state_dir, facts.state_dir / "releases", std::filesystem::path{"/run/berth"},
          std::filesystem::path{"/etc/berth"}, std::filesystem::path{"/etc/berth/berth.conf"}})
        facts.closed.push_back(look_at(path));
}

std::vector<Check> judge_kept(const HostFacts& facts) {
    return {root_key_check(facts),
            modes_check("private folders", facts.own, kOthers, "for their owners alone",
                        "chmod 0700: what is in them is for berthd and berth-runner alone"),
            modes_check("folders and settings", facts.closed, kOthersWrite,
                        "nobody else may write there",
                        "chmod go-w: who may write there may say what runs, and as whom")};
}

}  // namespace berth
