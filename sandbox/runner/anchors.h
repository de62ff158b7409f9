// What the runner remembers of the store from one time to the next, outside of it: how often
// the secrets of each scope have been changed. A store with a lower count is an old copy.
//
// A file in a folder of the runner's own, written whole and renamed. It may be a little
// behind the store, never ahead of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "sandbox/ipc/key_messages.h"

namespace berth::runner {

class Anchors {
public:
    // Kept in memory only.
    Anchors() = default;
    // invalid when the file is damaged; none is the same as an empty one. Throws SystemError.
    static Result<Anchors> load(const std::filesystem::path& folder);
    // Nothing is remembered, whatever the folder has.
    static Anchors none(const std::filesystem::path& folder);

    // Those of another installation do not count for this one, but are not forgotten: else
    // whoever can write the store would show another one for a moment, and then an old copy.
    void belong_to(const std::string& install_id);

    std::optional<std::uint64_t> counter(const ipc::Scope& scope) const;
    void raise(const ipc::Scope& scope, std::uint64_t counter);  // never lowers it
    void forget_all();                                           // of this installation

    // Something is not in the file yet.
    bool dirty() const { return dirty_; }
    void save();  // throws SystemError

private:
    using Key = std::pair<ipc::ScopeKind, std::int64_t>;
    std::filesystem::path file_;
    std::string install_id_;                                        // hex
    std::map<std::string, std::map<Key, std::uint64_t>> counters_;  // by installation
    bool dirty_ = false;
};

}  // namespace berth::runner
