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

KindBook KindBook::load(const fs::path& shipped, const fs::path& own) {
    KindBook book;
    book.read_folder(shipped);
    if (!own.empty()) book.read_folder(own);
    return book;
}

void KindBook::read_folder(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator{folder, error})
        if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    if (error) {
        troubles_.push_back(fmt::format("the folder '{}' of connector kinds cannot be read: {}",
                                        folder.string(), error.message()));
        return;
    }
    std::ranges::sort(files);
    for (const fs::path& file : files) {
        auto text = read_file(file, limits::kManifestBytes);
        if (!text) {
            troubles_.push_back(text.error().message);
            continue;
        }
        auto kind = read_kind(*text, file.string());
        if (!kind) {
            troubles_.push_back(kind.error().message);
        } else if (knows(kind->name)) {
            troubles_.push_back(
                fmt::format("{}:1:1: there is a kind '{}' already; give this one "
                            "and its file another name",
                            file.string(), kind->name));
        } else {
            const std::string name = kind->name;
            kinds_.emplace(name, std::move(*kind));
        }
    }
}

const ConnectorKind* KindBook::find(std::string_view name) const {
    const auto found = kinds_.find(name);
    return found == kinds_.end() ? nullptr : &found->second;
}

Result<void> KindBook::check(std::string_view name) const {
    if (knows(name)) return {};
    std::vector<std::string_view> names{kCustomKind};
    for (const auto& [known, kind] : kinds_)
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
