#include "connectors/kinds.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "base/file.h"
#include "base/text.h"
#include "connectors/kind_reader.h"
#include "model/limits.h"

namespace berth {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNamed = 3;

// Levenshtein's.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({change, row[j + 1] + 1, row[j] + 1});
        }
    }
    return row.back();
}

// What begins alike goes before what is spelled alike: `hubspot` → `hubspot-oauth`.
std::size_t strangeness(std::string_view wanted, std::string_view name) {
    const bool alike = name.starts_with(wanted) || wanted.starts_with(name);
    return distance(wanted, name) + (alike ? 0 : 100);
}

}  // namespace

KindBook::KindBook(fs::path shipped, const fs::path& own) : shipped_{std::move(shipped)} {
    reload(own);
}

void KindBook::reload(const fs::path& own) {
    const Kinds none;
    const Kinds& before = editions_.empty() ? none : all();
    auto edition = std::make_unique<Edition>();
    read_folder(shipped_, before, *edition);
    if (!own.empty()) read_folder(own, before, *edition);
    if (!editions_.empty() && *edition == now()) return;
    editions_.push_back(std::move(edition));
    now_ = editions_.back().get();
}

void KindBook::read_folder(const fs::path& folder, const Kinds& before, Edition& into) {
    std::error_code error;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator{folder, error})
        if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    if (error) {
        into.kinds.insert(before.begin(), before.end());
        into.troubles.push_back(fmt::format("the folder '{}' of connector kinds cannot be read: {}",
                                            folder.string(), error.message()));
        return;
    }
    std::ranges::sort(files);
    const auto wrong = [&](const fs::path& file, const std::string& why) {
        const auto kept = before.find(file.stem().string());
        const bool stays = kept != before.end() && into.kinds.insert(*kept).second;
        into.troubles.push_back(why + (stays ? "\nthe kind stays as it was before" : ""));
    };
    for (const fs::path& file : files) {
        auto text = read_file(file, limits::kManifestBytes);
        if (!text) {
            wrong(file, text.error().message);
            continue;
        }
        auto kind = read_kind(*text, file.string());
        if (!kind) {
            wrong(file, kind.error().message);
        } else if (kind->name == kCustomKind || into.kinds.contains(kind->name)) {
            into.troubles.push_back(
                fmt::format("{}:1:1: there is a kind '{}' already; give this one "
                            "and its file another name",
                            file.string(), kind->name));
        } else {
            const std::string name = kind->name;
            into.kinds.emplace(name, std::move(*kind));
        }
    }
}

const ConnectorKind* KindBook::find(std::string_view name) const {
    const auto found = all().find(name);
    return found == all().end() ? nullptr : &found->second;
}

Result<void> KindBook::check(std::string_view name) const {
    if (knows(name)) return {};
    std::vector<std::string_view> names{kCustomKind};
    for (const auto& [known, kind] : all())
        names.push_back(known);
    std::ranges::stable_sort(names, {},
                             [&](std::string_view known) { return strangeness(name, known); });
    names.resize(std::min(names.size(), kMostNamed));
    return fail_at(FailureKind::unprocessable, "body.kind",
                   "there is no connector kind '{}'; the nearest are: {} ('berth connector kinds' "
                   "lists all, 'custom' takes any fields)",
                   printable(name, 63), fmt::join(names, ", "));
}

fs::path shipped_kinds(const fs::path& program_folder) {
    return program_folder.parent_path() / "share" / "berth" / "kinds";
}

}  // namespace berth
