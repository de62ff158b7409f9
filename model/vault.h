// The vault as an administrator sees it: which keys there are, what hangs on them, and how far
// a rotation is. Ids and counts only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/values.h"

namespace berth {

// What is replaced: the root key's wrapping, the key-encryption key, or data keys.
enum class RotationKind { root, kek, data };
std::string_view to_string(RotationKind kind);
std::optional<RotationKind> parse_rotation_kind(std::string_view word);

struct RotationView {
    std::int64_t id = 0;
    RotationKind kind = RotationKind::root;
    std::string scope;  // `tenant 7`; empty: all
    std::int64_t total = 0;
    std::int64_t left = 0;
    std::string actor;
    Time created{};
    std::optional<Time> finished{};
};

struct KekView {
    std::uint32_t term = 0;
    std::string root_key;  // how the id of the root key that wraps it begins, hex
    std::int64_t data_keys = 0;
    Time created{};
};

struct VaultView {
    std::string root_key;  // id, hex; empty: the runner has none, or is not there
    std::vector<std::string> previous_root_keys;
    std::vector<KekView> keks;
    std::int64_t data_keys = 0;
    std::int64_t retired_data_keys = 0;
    std::int64_t secrets = 0;
    std::int64_t secrets_under_retired = 0;
    std::int64_t manifests = 0;
    std::optional<RotationView> rotation{};  // the last one, also when it is over
    std::string trouble;                     // why the rotation does not go on; empty: it does
};

struct RotationInput {
    RotationKind kind = RotationKind::kek;
    std::optional<TenantId> tenant{};            // only its data key
    std::optional<IntegrationId> integration{};  // only its own data key
};

}  // namespace berth
