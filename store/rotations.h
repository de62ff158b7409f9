// What a rotation of keys does to the store, a batch at a time. Each step changes only what is
// still as it was read (its salt says so), and what is left to do is counted, not remembered:
// a rotation can end at any instant and go on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/vault.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/keys.h"

namespace berth {

struct RotationRow {
    std::int64_t id = 0;
    RotationKind kind = RotationKind::root;
    std::optional<KeyScope> scope{};  // data keys only; nothing: all
    // root: how the new root key's id begins. kek: the new term. data: data keys up to this
    // number are old.
    std::uint32_t target = 0;
    std::int64_t total = 0;
    std::string actor;
    Time created{};
    std::optional<Time> finished{};
};

std::string name_of(const std::optional<KeyScope>& scope);  // "tenant 7"; of nothing, nothing

// conflict when one is under way.
Result<RotationRow> begin_rotation(Db& db, const By& by, RotationKind kind,
                                   const std::optional<KeyScope>& scope, std::uint32_t target);
std::optional<RotationRow> last_rotation(Db& db);
// Counted: wrapped keys, or data keys and sealed fields, that are not yet what they are to be.
std::int64_t rotation_left(Db& db, const RotationRow& rotation);
void finish_rotation(Db& db, const By& by, const RotationRow& rotation);

// ---- the root key: key-encryption keys are wrapped anew
std::vector<KekRow> keks_of_other_roots(Db& db, std::uint32_t root);
// All in one transaction; those that have changed meanwhile stay for the next look.
Result<void> replace_keks(Db& db, const By& by, const std::vector<KekRow>& before,
                          const std::vector<std::string>& envelopes);

// ---- the key-encryption key: data keys are wrapped anew
std::vector<DataKeyRow> data_keys_before(Db& db, std::uint32_t term, std::int64_t limit);
Result<void> replace_data_keys(Db& db, const By& by, const std::vector<DataKeyRow>& before,
                               const std::vector<std::string>& envelopes, std::uint32_t term);
// Those that wrap nothing any more. A run that lives since before may be taken over by another
// runner with what was wrapped by them: false, and none goes, while there is one.
bool drop_unused_keks(Db& db, const By& by);

// ---- data keys: secrets are sealed anew
std::uint32_t newest_data_key(Db& db);
// The next scope whose data key is to be replaced, and the next retired key.
std::optional<DataKeyRow> next_old_data_key(Db& db, const RotationRow& rotation);
std::optional<DataKeyRow> next_retired_data_key(Db& db, const RotationRow& rotation);
// The old one retires, in the same transaction.
Result<void> succeed_data_key(Db& db, const By& by, const DataKeyRow& old, const DataKeyRow& next);
// false when secrets or the manifest are still under it. busy while somebody is at a provider
// for tokens that will be sealed under it: who asked before the key was replaced.
Result<bool> drop_data_key(Db& db, const By& by, const DataKeyRow& retired);

// A sealed field where it is.
struct SealedRow {
    std::int64_t connection_id = 0;
    std::int64_t connector_id = 0;
    std::string field;
    std::uint64_t version = 0;
    std::string envelope;
};
std::vector<SealedRow> secrets_under(Db& db, const DataKeyRow& key, std::int64_t limit);
Result<void> replace_secrets(Db& db, const By& by, const DataKeyRow& key,
                             const std::vector<SealedRow>& before,
                             const std::vector<std::string>& envelopes);

}  // namespace berth
