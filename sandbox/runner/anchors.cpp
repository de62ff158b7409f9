#include "sandbox/runner/anchors.h"

#include <fmt/format.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"

namespace berth::runner {
namespace {

constexpr std::string_view kMark = "berth anchors 1";
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;

std::optional<ipc::ScopeKind> parse_kind(std::string_view word) {
    if (word == "tenant") return ipc::ScopeKind::tenant;
    if (word == "integration") return ipc::ScopeKind::integration;
    return {};
}

std::string_view word_of(ipc::ScopeKind kind) {
    return kind == ipc::ScopeKind::tenant ? "tenant" : "integration";
}

}  // namespace

Anchors Anchors::none(const std::filesystem::path& folder) {
    Anchors anchors;
    anchors.file_ = folder / "anchors";
    return anchors;
}

// mark | of each installation `install HEX` | `tenant 7 12` ... | `sum HEX` of all lines before.
Result<Anchors> Anchors::load(const std::filesystem::path& folder) {
    Anchors anchors = none(folder);
    const auto text = read_file(anchors.file_, kMostBytes);
    if (!text && text.error().kind == FailureKind::not_found) return anchors;
    const auto damaged = [&] {
        return fail(
            FailureKind::invalid,
            "the runner's file '{}' is damaged, so that an old copy of the secrets could not "
            "be told; see why, then do 'berth vault accept-restore', which makes it anew",
            anchors.file_.string());
    };
    const auto end = text ? text->rfind("sum ") : std::string::npos;
    if (end == std::string::npos) return damaged();
    const std::string body = text->substr(0, end);
    if (trim(std::string_view{*text}.substr(end + 4)) != to_hex(sha256(body))) return damaged();
    int number = 0;
    for (const std::string& line : split(body, '\n')) {
        const auto words = split(line, ' ');
        if (++number == 1) {
            if (line != kMark) return damaged();
        } else if (words.size() == 2 && words[0] == "install") {
            anchors.install_id_ = words[1];
        } else if (words.size() == 3) {
            const auto kind = parse_kind(words[0]);
            const auto id = to_number<std::int64_t>(words[1]);
            const auto counter = to_number<std::uint64_t>(words[2]);
            if (!kind || !id || !counter) return damaged();
            anchors.counters_[anchors.install_id_][{*kind, *id}] = *counter;
        } else if (!line.empty()) {
            return damaged();
        }
    }
    return anchors;
}

void Anchors::belong_to(const std::string& install_id) { install_id_ = to_hex(install_id); }

std::optional<std::uint64_t> Anchors::counter(const ipc::Scope& scope) const {
    const auto ours = counters_.find(install_id_);
    if (ours == counters_.end()) return {};
    const auto found = ours->second.find({scope.kind, scope.id});
    if (found == ours->second.end()) return {};
    return found->second;
}

void Anchors::raise(const ipc::Scope& scope, std::uint64_t counter) {
    auto& known = counters_[install_id_][{scope.kind, scope.id}];
    if (known >= counter) return;
    known = counter;
    dirty_ = true;
}

void Anchors::forget_all() {
    counters_.erase(install_id_);
    dirty_ = true;
}

void Anchors::save() {
    dirty_ = false;
    if (file_.empty()) return;
    std::string text = fmt::format("{}\n", kMark);
    for (const auto& [install, counters] : counters_) {
        text += fmt::format("install {}\n", install);
        for (const auto& [scope, counter] : counters)
            text += fmt::format("{} {} {}\n", word_of(scope.first), scope.second, counter);
    }
    text += fmt::format("sum {}\n", to_hex(sha256(text)));
    try {
        write_file_atomically(file_, text, 0600);
    } catch (...) {
        dirty_ = true;
        throw;
    }
}

}  // namespace berth::runner
