// All connector kinds that this Berth knows: those that come with it and those of the
// administrator's own folder.
//
// Thread: reload() on one; everything else on any.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "connectors/kind.h"

namespace berth {

// A connector of this kind has any fields, all of them secret.
inline constexpr std::string_view kCustomKind = "custom";

class KindBook {
public:
    using Kinds = std::map<std::string, ConnectorKind, std::less<>>;

    // A file that is wrong is left out and told of in troubles(); the others serve. A kind of
    // the administrator's own that is called like one of ours is refused, too.
    KindBook(std::filesystem::path shipped, const std::filesystem::path& own);
    KindBook(const KindBook&) = delete;
    KindBook& operator=(const KindBook&) = delete;

    // The folders as they are now. A kind whose file is wrong now stays as it was, and all of
    // them when a folder cannot be read. What has been found before stays where it is:
    // whoever holds it is not disturbed.
    void reload(const std::filesystem::path& own);

    // nullptr for what is not there, and for `custom`.
    const ConnectorKind* find(std::string_view name) const;
    bool knows(std::string_view name) const { return name == kCustomKind || find(name); }
    // unprocessable at `kind`, with the names that are nearest.
    Result<void> check(std::string_view name) const;

    const Kinds& all() const { return now().kinds; }
    const std::vector<std::string>& troubles() const { return now().troubles; }

private:
    struct Edition {
        Kinds kinds;
        std::vector<std::string> troubles;
        bool operator==(const Edition&) const = default;
    };
    static void read_folder(const std::filesystem::path& folder, const Kinds& before,
                            Edition& into);
    const Edition& now() const { return *now_.load(); }

    const std::filesystem::path shipped_;
    std::vector<std::unique_ptr<const Edition>> editions_;  // each differs from the one before
    std::atomic<const Edition*> now_{};
};

// Where the kinds that come with a program are: `../share/berth/kinds` from its folder, in a
// package as in a build tree.
std::filesystem::path shipped_kinds(const std::filesystem::path& program_folder);

}  // namespace berth
