// Ids with types: a RunId is not a TenantId. Integers where the contract has
// integers (pandium-contract.md 1); triggers have 128 random bits as 32 hex digits.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"

namespace berth {

template <typename Tag>
struct Id {
    std::int64_t value = 0;  // 0 is never given out

    auto operator<=>(const Id&) const = default;
    explicit operator bool() const { return value != 0; }
    std::string str() const { return std::to_string(value); }

    // A positive decimal without sign or leading blanks; nothing otherwise.
    static std::optional<Id> parse(std::string_view text) {
        const auto number = to_number<std::int64_t>(text);
        if (!number || *number <= 0) return {};
        return Id{*number};
    }
};

using IntegrationId = Id<struct IntegrationTag>;
using ReleaseId = Id<struct ReleaseTag>;
using ConnectorId = Id<struct ConnectorTag>;
using ConnectionId = Id<struct ConnectionTag>;
using TenantId = Id<struct TenantTag>;
using RunId = Id<struct RunTag>;

struct TriggerId {
    std::string value;  // 32 lower-case hex digits

    auto operator<=>(const TriggerId&) const = default;
    const std::string& str() const { return value; }
    static TriggerId make();
    static std::optional<TriggerId> parse(std::string_view text);
};

}  // namespace berth

template <typename Tag>
struct std::hash<berth::Id<Tag>> {
    std::size_t operator()(const berth::Id<Tag>& id) const noexcept {
        return std::hash<std::int64_t>{}(id.value);
    }
};
