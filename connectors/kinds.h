// All connector kinds that this Berth knows: those that come with it and those of the
// administrator's own folder.
#pragma once

#include <filesystem>
#include <map>
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
    // A file that is wrong is left out and told of in troubles(); the others serve. A kind of
    // the administrator's own that is called like one of ours is refused, too.
    static KindBook load(const std::filesystem::path& shipped, const std::filesystem::path& own);

    // nullptr for what is not there, and for `custom`.
    const ConnectorKind* find(std::string_view name) const;
    bool knows(std::string_view name) const { return name == kCustomKind || find(name); }
    // unprocessable at `kind`, with the names that are nearest.
    Result<void> check(std::string_view name) const;

    const std::map<std::string, ConnectorKind, std::less<>>& all() const { return kinds_; }
    const std::vector<std::string>& troubles() const { return troubles_; }

private:
    void read_folder(const std::filesystem::path& folder);

    std::map<std::string, ConnectorKind, std::less<>> kinds_;
    std::vector<std::string> troubles_;
};

// Where the kinds that come with a program are: `../share/berth/kinds` from its folder, in a
// package as in a build tree.
std::filesystem::path shipped_kinds(const std::filesystem::path& program_folder);

}  // namespace berth
